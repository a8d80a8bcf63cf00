"""GUDID, the FDA's database of devices, as its delimited full release (AccessGUDID, "Download": delimited files).

A zip archive, or a folder, with device.txt (a row for each device) and identifiers.txt (its packages and other
identifiers); `|` between the cells, no quotes, the first line names the columns. dunsNumber and the GMDN terms are
not read: they are others' property.

Some five million rows: what is plain goes the short way, in batches. Whatever is not (another issuer than GS1, an
odd character, an unknown word) goes the long way of `gateway.articles.fields`, which knows what is wrong with it.
"""

from collections.abc import Callable, Iterator
from datetime import date
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from gateway.articles.fields import MAX_NAME, MAX_NUMBER, MAX_QUANTITY, MAX_TEXT
from gateway.articles.importers.archive import DAMAGE, Archive, ArchiveError, is_archive
from gateway.articles.importers.base import MAX_BATCH_ROWS, BatchRow, RowBatch, SourceRecord, unusable
from gateway.articles.importers.lines import BadLine, blocks
from gateway.articles.importers.packaging import Content, pieces
from gateway.articles.reports import Rejection
from gateway.articles.rows import rest_of, traits_of
from gateway.articles.settings import Field, SourceSettings
from gateway.model import Article, ArticleStatus, Issuer

DEVICES: Final = "device.txt"
IDENTIFIERS: Final = "identifiers.txt"
IN_DISTRIBUTION: Final = "In Commercial Distribution"
NOT_IN_DISTRIBUTION: Final = "Not in Commercial Distribution"
WITHDRAWN: Final = "not in commercial distribution"
"""Reason of the status discontinued: what is on the shelf may be used."""

MAX_ISBT_REMEMBERED: Final = 200_000
"""Identifiers of ICCBBA kept in memory, to tell them from HIBCC's in device.txt: many times what there are."""
MAX_PACKAGES: Final = 1000
"""Rows of identifiers.txt for one device that are held together to count what is in a package of packages."""
_MEMORISED: Final = 10_000
"""Combinations of flags, status and its date kept in memory; beyond, start afresh."""

_GTIN_LENGTH: Final = 14
_DEVICE_COLUMNS: Final = (
    *("PrimaryDI", "companyName", "brandName", "deviceDescription", "catalogNumber", "versionModelNumber"),
    *("deviceSterile", "singleUse", "lotBatch", "serialNumber", "expirationDate"),
    *("deviceCommDistributionStatus", "deviceCommDistributionEndDate"),
)
_FLAG_FIELDS: Final[tuple[Field, ...]] = ("sterile", "singleUse", "lotRequired", "serialRequired", "expiryRequired")
_PACKAGE_COLUMNS: Final = (
    *("PrimaryDI", "deviceId", "deviceIdType", "deviceIdIssuingAgency", "containsDINumber", "pkgQuantity"),
    *("pkgDiscontinueDate", "pkgStatus"),
)
LEVELS: Final = {
    "package": "package",
    "unit of use": "unitOfUse",
    "secondary": "primary",
    "direct marking": "primary",
}
"""deviceIdType -> packageLevel. Any other is the device itself, or an identifier no longer in use."""
_FLAGS: Final = {"true": True, "false": False, "": False}

_State = tuple[int, bytes | None]
"""What a row has in common with many others: `traits` and `rest` of `gateway.articles.rows.Row`."""


def _weights(digits: int) -> dict[str, int]:
    """Return what each text of so many digits, an even number, adds to a GTIN's check.

    GS1 General Specifications, 7.9.1: weights 3 and 1 in turn, of 14 digits the first one's is 3.
    """
    texts = (f"{number:0{digits}d}" for number in range(10**digits))
    return {text: 3 * sum(map(int, text[::2])) + sum(map(int, text[1::2])) for text in texts}


_FOUR: Final = _weights(4)
_TWO: Final = _weights(2)


class _Release(NamedTuple):
    devices: BinaryIO
    identifiers: BinaryIO | None


class _ReleaseError(ValueError):
    """The message says which file lacks what."""


def release_file(path: Path) -> Path:
    """Return the file to open for a release: of a folder, its device.txt."""
    if not path.is_dir():
        return path
    return next((file for file in path.iterdir() if file.name.casefold() == DEVICES), path / DEVICES)


def read_gudid(stream: BinaryIO, source: SourceSettings) -> Iterator[SourceRecord | Rejection | RowBatch]:
    """Yield the rows of identifiers.txt, then those of device.txt. SourceFileError: the release will not do."""
    try:
        release = _open(stream)
        isbt: set[str] = set()
        if release.identifiers is not None:
            with release.identifiers as identifiers:
                yield from _identifiers(identifiers, isbt)
        yield from _devices(release.devices, isbt, issuers_known=release.identifiers is not None)
    except (*DAMAGE, ArchiveError, _ReleaseError) as error:
        raise unusable(stream, source, str(error), "download the delimited release again") from error


def _open(stream: BinaryIO) -> _Release:
    if is_archive(stream):
        archive = Archive(stream)
        devices = archive.open(DEVICES)
        if devices is None:
            raise ArchiveError(f"the archive has no {DEVICES}")
        return _Release(devices, archive.open(IDENTIFIERS))
    name = getattr(stream, "name", None)
    if not isinstance(name, str):
        return _Release(stream, None)
    beside = [
        file for file in Path(name).parent.iterdir() if file.name.casefold() == IDENTIFIERS and file.is_file()
    ]
    return _Release(stream, beside[0].open("rb") if beside else None)


_Cells = tuple[int, tuple[str, ...]]
"""Line of a row, and its cells of the columns that were asked for."""


def _table(stream: BinaryIO, file: str, columns: tuple[str, ...]) -> Iterator[_Cells | Rejection]:
    """Yield the rows below the header, which must have these columns."""
    width = 0
    pick: Callable[[list[str]], tuple[str, ...]] = tuple
    for block in blocks(stream):
        if isinstance(block, BadLine):
            yield Rejection(line=block.number, reason=f"{file}: {block.problem}")
            continue
        for number, line in enumerate(block.lines, block.first):
            cells = line.split("|")
            if len(cells) == width:
                yield number, pick(cells)
            elif not width:
                width, pick = len(cells), _picking(cells, file, columns)
            elif line.strip():
                yield Rejection(line=number, reason=f"{file}: {len(cells)} fields: the header has {width}")
    if not width:
        raise _ReleaseError(f"{file} has no header")


def _picking(header: list[str], file: str, columns: tuple[str, ...]) -> Callable[[list[str]], tuple[str, ...]]:
    names = [name.strip().casefold() for name in header]
    missing = [column for column in columns if column.casefold() not in names]
    if missing:
        raise _ReleaseError(f"{file} has no column {', '.join(missing)}")
    return itemgetter(*(names.index(column.casefold()) for column in columns))


def _is_plain(text: str) -> bool:
    """Tell of cells between bars that none needs folding or has a character that is not kept."""
    return text.isprintable() and "  " not in text and " |" not in text and "| " not in text


def _fits(company: str, brand: str, description: str) -> bool:
    return len(company) <= MAX_NAME and len(brand) <= MAX_NAME and len(description) <= MAX_TEXT


def _gtin(text: str) -> int | None:
    """Return a GTIN of 14 digits whose check digit is right as a number, None for anything else."""
    if len(text) != _GTIN_LENGTH:
        return None
    try:
        check = _FOUR[text[:4]] + _FOUR[text[4:8]] + _FOUR[text[8:12]] + _TWO[text[12:]]
    except KeyError:
        return None
    return None if check % 10 else int(text) or None


def _state(level: str | None, flags: tuple[str, ...], word: str, ended: str) -> _State | None:
    """Return what flags, status and its date make; None for what the long way must judge."""
    ended_sale = word == NOT_IN_DISTRIBUTION
    try:
        since = date.fromisoformat(ended).isoformat() if ended_sale and ended else None
        sterile, single_use, lot, serial, expiry = (_FLAGS[flag] for flag in flags)
    except (ValueError, KeyError):
        return None
    if not ended_sale and word not in {IN_DISTRIBUTION, ""}:
        return None
    article = Article(
        issuer=Issuer.GS1,
        package_level=level,
        sterile=sterile,
        single_use=single_use,
        lot_required=lot,
        serial_required=serial,
        expiry_required=expiry,
        status=ArticleStatus.DISCONTINUED if ended_sale else ArticleStatus.ACTIVE,
        status_reason=WITHDRAWN if ended_sale else None,
        status_from=since,
    )
    return traits_of(article), rest_of(article)


def status_texts(word: str, ended: str) -> dict[Field, str]:
    """Return what a device's deviceCommDistributionStatus and its end make; an unknown word is refused later."""
    if word.strip() in {IN_DISTRIBUTION, ""}:
        return {}
    if word.strip() != NOT_IN_DISTRIBUTION:
        return {"status": word}
    return {"status": "discontinued", "statusReason": WITHDRAWN, "statusFrom": ended.strip()[:10]}


def _devices(
    stream: BinaryIO, isbt: set[str], *, issuers_known: bool
) -> Iterator[SourceRecord | Rejection | RowBatch]:
    lines: list[int] = []
    rows: list[BatchRow] = []
    judged: dict[tuple[str, ...], _State | None] = {}
    for row in _table(stream, DEVICES, _DEVICE_COLUMNS):
        if isinstance(row, Rejection):
            yield row
            continue
        line, cells = row
        identifier, company, brand, description, catalog, model = cells[:6]
        number = catalog or model
        state = cells[6:]
        try:
            shared = judged[state]
        except KeyError:
            if len(judged) == _MEMORISED:
                judged.clear()
            shared = judged[state] = _state(None, state[:-2], *state[-2:])
        gtin = _gtin(identifier)
        text = f"|{company}|{brand}|{description}|{number}|"
        if (
            gtin is None
            or shared is None
            or len(number) > MAX_NUMBER
            or (len(text) > MAX_NAME and not _fits(company, brand, description))
            or not _is_plain(text)
        ):
            yield _device_record(line, cells, isbt if issuers_known else None)
            continue
        lines.append(line)
        traits, rest = shared
        rows.append(
            (
                gtin,
                traits,
                company or None,
                brand or None,
                description or None,
                None,
                number or None,
                None,
                None,
                None,
                rest,
            )
        )
        if len(rows) == MAX_BATCH_ROWS:
            yield RowBatch(lines, rows)
            lines, rows = [], []
    if rows:
        yield RowBatch(lines, rows)


def _device_record(line: int, cells: tuple[str, ...], isbt: set[str] | None) -> SourceRecord:
    identifier, company, brand, description, catalog, model, *flags, word, ended = cells
    identifier = identifier.strip()
    texts: dict[Field, str] = {
        "deviceIdentifier": identifier,
        "manufacturerName": company,
        "tradeName": brand,
        "description": description,
        "catalogNumber": catalog.strip() or model,
        **dict(zip(_FLAG_FIELDS, flags, strict=True)),
        **status_texts(word, ended),
    }
    if isbt is not None and not identifier.isdigit():
        texts["issuer"] = "ICCBBA" if identifier in isbt else "HIBCC"
    return SourceRecord(line, texts)


class _Package(NamedTuple):
    line: int
    identifier: str
    level: str
    issuer: str
    content: Content
    ended: str
    status: str


def _identifiers(stream: BinaryIO, isbt: set[str]) -> Iterator[SourceRecord | Rejection | RowBatch]:
    batch = RowBatch([], [])
    packages: list[_Package] = []
    device = ""
    for row in _table(stream, IDENTIFIERS, _PACKAGE_COLUMNS):
        if isinstance(row, Rejection):
            yield row
            continue
        line, (primary, identifier, kind, issuer, inside, quantity, ended, status) = row
        if kind == "Primary":  # most rows are
            if issuer == "ICCBBA" and len(isbt) < MAX_ISBT_REMEMBERED:
                isbt.add(identifier)
            continue
        level = LEVELS.get(kind.casefold())
        if level is None:
            continue
        if primary != device or len(packages) == MAX_PACKAGES:
            yield from _of_device(device, packages, batch)
            device, packages = primary, []
        packages.append(_Package(line, identifier, level, issuer, Content(inside, quantity), ended, status))
        if len(batch.rows) >= MAX_BATCH_ROWS:
            yield batch
            batch = RowBatch([], [])
    yield from _of_device(device, packages, batch)
    if batch.rows:
        yield batch


def _of_device(device: str, packages: list[_Package], batch: RowBatch) -> Iterator[SourceRecord | Rejection]:
    """Put a device's other identifiers into the batch; yield those that go the long way, or nowhere."""
    if not packages:
        return
    base = _gtin(device)
    held = {package.identifier: package.content for package in packages if package.level == "package"}
    for package in packages:
        count = pieces(package.content, device, held) if package.level == "package" else "1"
        gtin = _gtin(package.identifier)
        state = _state(package.level, ("",) * len(_FLAG_FIELDS), package.status, package.ended)
        if count is None:
            reason = f"{IDENTIFIERS}: no row of {device} says how many pieces are in {package.content.inside[:40]}"
            yield Rejection(line=package.line, column="containsDINumber", reason=reason)
        elif (
            gtin is None
            or base is None
            or gtin == base
            or state is None
            or package.issuer != "GS1"
            or not count.isdecimal()
            or not count.isascii()
            or not 1 <= int(count) <= MAX_QUANTITY
        ):
            yield _package_record(package, device, count)
        else:
            batch.lines.append(package.line)
            quantity = None if int(count) == 1 else int(count)
            batch.rows.append((gtin, state[0], None, None, None, None, None, None, base, quantity, state[1]))


def _package_record(package: _Package, device: str, count: str) -> SourceRecord:
    texts: dict[Field, str] = {
        "deviceIdentifier": package.identifier,
        "issuer": package.issuer,
        "packageLevel": package.level,
        "baseDeviceIdentifier": device,
        "baseQuantity": count,
        **status_texts(package.status, package.ended),
    }
    return SourceRecord(package.line, texts)
