"""`completion` and `man`: made from the parser itself, so that they never say anything else than it does."""

import argparse
from collections.abc import Callable, Iterator
from typing import Final

from gateway import RELEASED, VERSION
from gateway.cli import exits

FILES: Final = "/etc/scangate/scangate.toml, /etc/scangate/site.toml, /var/lib/scangate"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", parser: argparse.ArgumentParser) -> None:
    """Describe the commands; `parser` is what they speak of."""
    completion = commands.add_parser(
        "completion",
        help="completion of commands and options for a shell",
        epilog="example: scangate completion bash > /etc/bash_completion.d/scangate",
    )
    completion.add_argument("shell", choices=tuple(SHELLS))
    completion.set_defaults(run=lambda chosen: _print(SHELLS[chosen.shell](parser)))
    man = commands.add_parser("man", help="the manual page (roff)", epilog="example: scangate man | man -l -")
    man.set_defaults(run=lambda _: _print(manual(parser)))


def _print(text: str) -> int:
    print(text, end="")
    return exits.DONE


def commands_of(
    parser: argparse.ArgumentParser, words: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], argparse.ArgumentParser]]:
    """Yield every command with the words that lead to it, the program itself first."""
    yield words, parser
    for action in parser._actions:  # noqa: SLF001 - argparse shows its commands nowhere else
        if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
            for name, inner in action.choices.items():
                yield from commands_of(inner, (*words, name))


def manual(parser: argparse.ArgumentParser, files: str = FILES) -> str:
    """Return the manual page of a program: man-pages(7), one section for each command."""
    program = parser.prog
    lines = [f'.TH {program.upper()} 1 "{RELEASED}" "scangate {VERSION}" "User Commands"']
    lines += [".SH NAME", rf"{program} \- {_roff(_first_small(parser.description or ''))}"]
    lines += [".SH SYNOPSIS", f".B {program}", r"COMMAND [\fIOPTION\fR]...", ".SH COMMANDS"]
    for words, command in commands_of(parser):
        if not words or list(_children(command)):
            continue
        lines += [f'.SS "{" ".join((program, *words))}"', _roff(command.description or _help_of(parser, words))]
        for action in command._actions:  # noqa: SLF001
            if action.help is argparse.SUPPRESS or action.dest == "help":
                continue
            name = ", ".join(action.option_strings) or str(action.metavar or action.dest)
            if action.option_strings and action.nargs != 0:
                value = "|".join(action.choices) if action.choices else action.dest.upper()
                name += f" {action.metavar or value}"
            text = (action.help or "").replace("%%", "%")
            lines += [".TP", rf"\fB{_roff(name)}\fR", _roff(text) or r"\&"]
        if command.epilog:
            lines += [".PP", ".nf", _roff(command.epilog), ".fi"]
    lines += [".SH EXIT STATUS", _roff(parser.epilog or "")]
    lines += [".SH FILES", files]
    return "\n".join(lines) + "\n"


def bash(parser: argparse.ArgumentParser) -> str:
    """Return a completion for bash."""
    cases = "\n".join(
        f'        "{" ".join(words)}") words="{" ".join(_offered(command))}" ;;'
        for words, command in commands_of(parser)
    )
    return f"""\
# bash completion of scangate {VERSION}; made by `scangate completion bash`
_scangate() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} path="" word words
    for word in "${{COMP_WORDS[@]:1:COMP_CWORD-1}}"; do
        case "${{path:+$path }}$word" in
        {"|".join(_quoted(words) for words, _ in commands_of(parser) if words)}) path="${{path:+$path }}$word" ;;
        esac
    done
    case $path in
{cases}
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}}
complete -o default -F _scangate scangate
"""


def zsh(parser: argparse.ArgumentParser) -> str:
    """Return a completion for zsh, which runs bash's."""
    return f"#compdef scangate\nautoload -U +X bashcompinit && bashcompinit\n{bash(parser)}"


def fish(parser: argparse.ArgumentParser) -> str:
    """Return a completion for fish."""
    lines = [f"# fish completion of scangate {VERSION}; made by `scangate completion fish`"]
    for words, command in commands_of(parser):
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in words)
        names = " ".join(_children(command))
        condition = seen or "__fish_use_subcommand"
        if seen and names:
            condition = f"{seen}; and not __fish_seen_subcommand_from {names}"
        lines += [
            f"complete -c scangate -f -n '{condition}' -a {name} -d '{_help_of(parser, (*words, name))!s}'".replace(
                "\n", " "
            )
            for name in _children(command)
        ]
        lines += [
            f"complete -c scangate -n '{seen or 'true'}' -l {option[2:]}"
            for action in command._actions  # noqa: SLF001
            for option in action.option_strings
            if option.startswith("--") and action.help is not argparse.SUPPRESS
        ]
    return "\n".join(lines) + "\n"


SHELLS: Final[dict[str, Callable[[argparse.ArgumentParser], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}


def _children(command: argparse.ArgumentParser) -> list[str]:
    return [
        name
        for action in command._actions  # noqa: SLF001
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
        for name in action.choices
    ]


def _offered(command: argparse.ArgumentParser) -> list[str]:
    """Return the words that may come next."""
    options = [
        option
        for action in command._actions  # noqa: SLF001
        if action.help is not argparse.SUPPRESS
        for option in action.option_strings
        if option.startswith("--")
    ]
    return [*_children(command), *options]


def _help_of(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> str:
    """Return the line that a list of commands has for one."""
    found = ""
    for word in words:
        for action in parser._actions:  # noqa: SLF001
            if isinstance(action, argparse._SubParsersAction):  # noqa: SLF001
                found = next((one.help or "" for one in action._choices_actions if one.dest == word), "")  # noqa: SLF001
                parser = action.choices[word]
                break
    return found.replace("'", "")


def _quoted(words: tuple[str, ...]) -> str:
    return '"' + " ".join(words) + '"'


def _first_small(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _roff(text: str) -> str:
    """Escape what roff takes for its own."""
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return "\n".join(rf"\&{line}" if line[:1] in {".", "'"} else line for line in escaped.split("\n"))
