"""The `[articles]` section of the configuration."""

from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct

Field = Literal[
    "deviceIdentifier",
    "issuer",
    "articleNumber",
    "tradeName",
    "description",
    "manufacturerName",
    "catalogNumber",
    "riskClass",
    "implant",
    "consignment",
    "owner",
    "packageLevel",
    "baseDeviceIdentifier",
    "baseQuantity",
    "sterile",
    "singleUse",
    "lotRequired",
    "serialRequired",
    "expiryRequired",
    "status",
    "statusReason",
    "statusFrom",
]
"""A field of the master, as `gateway.model.Article` names it in JSON."""


class SourceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One `[[articles.source]]`: where article rows come from and how to read them."""

    name: Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_-]{1,64}\Z")]
    """Name shown in events as `article.source`; letters, digits, `_` and `-`."""
    priority: int = 100
    """Where two sources know the same article, the lower number wins."""
    format: Literal[
        "csv", "gudid", "accessgudid", "eudamed", "peppol", "hl7-mfn", "fhir", "gs1-cin", "gs1-firstbase"
    ] = "csv"
    """What kind of file it is. csv: one row a line, the first line names the columns; zipped, and as an Excel workbook
    (.xlsx), too. gudid: the FDA's delimited
    release (zip, folder or device.txt). accessgudid, eudamed: their JSON. peppol: Peppol BIS Catalogue 3 (UBL 2.1).
    hl7-mfn: HL7 v2 MFN^M16. fhir: R5 DeviceDefinition as JSON, in a Bundle or one a line. gs1-cin: GS1 Catalogue Item
    Notification, GDSN 3.1 XML. gs1-firstbase: GS1 firstbase's JSON."""
    incremental: bool = False
    """Whether its files change rows and do not list all: what a file does not mention stays as it was, and of several
    files in a folder each counts. Peppol's updates, HL7's UPD and gs1-cin say so themselves."""
    may_block: bool | None = None
    """Whether what it calls blocked is blocked also where a source before it calls it active. Left out: yes for
    csv, hl7-mfn and fhir, which are a hospital's own systems; no for registries and suppliers' catalogues."""
    columns: dict[Field, str] = {}
    """csv only: field of the master -> column of the file. A field left out is read from the column of its own
    name."""
    values: dict[Field, dict[str, str]] = {}
    """csv only: field -> cell of the file -> what it means, such as status = { "Utgått" = "blocked" }. Cells count
    without regard to case; one that is not named is read as it is."""
    encoding: Literal["utf-8", "cp1252", "cp850"] = "utf-8"
    """A UTF-8 byte order mark is accepted, and outranks this setting. cp850: files of DOS programs."""
    sheet: str | None = None
    """csv only, for an Excel workbook: the sheet to read; left out, the first that is shown."""
    identifier_system: str | None = None
    """fhir only: the `system` of the identifier that is the article number; left out, none is."""
    delimiter: Literal[";", ",", "\t", "|"] = ";"
    """What stands between two cells."""
    path: str | None = None
    """Where `articles sync` looks: a file, or a pattern such as /srv/articles/*.csv, whose newest file is taken; a
    folder stands for the newest file in it. With gudid a folder may be the release itself."""
    url: str | None = None
    """Where `articles sync` fetches it instead: https://..., sftp://..., ftps://... (TLS from the first byte) or
    ftpes://... (TLS by AUTH TLS), without credentials in it. A share of Windows is mounted, and is a `path`."""
    username: str | None = None
    """Who logs in: by HTTP's Basic authentication, by SFTP or FTPS."""
    password_file: str | None = None
    """The password; a path or the name of a credential."""
    token_file: str | None = None
    """HTTPS: a Bearer token (RFC 6750); a path or the name of a credential."""
    known_hosts_file: str | None = None
    """SFTP: the server's keys, as ssh-keyscan writes them (OpenSSH's known_hosts); no other is believed."""
    sha256: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")] | None = None
    """What the file's SHA-256 must be, in lower-case hex."""
    sha256_url: str | None = None
    """Where the file's SHA-256 is published, as sha256sum writes it."""
    interval: Annotated[int, Meta(ge=300, le=31_536_000)] = 86_400
    """Seconds between two looks at `path` or `url`."""
    ca_file: str | None = None
    """Certificates the server's must be signed by; a bare name means a credential. None: the system's."""
    cert_file: str | None = None
    """Client certificate, if the server asks for one; a path or the name of a credential."""
    key_file: str | None = None
    """Its private key; with sftp, the key that logs in, in OpenSSH's or PEM form."""
    allow_http: bool = False
    """Permit `url` and `sha256_url` without TLS: who is on the way can then change the articles."""

    def blocks(self) -> bool:
        """Return whether it may block what a source before it calls active."""
        return self.format in {"csv", "hl7-mfn", "fhir"} if self.may_block is None else self.may_block

    def __post_init__(self) -> None:
        """Refuse what cannot work together. Raises ValueError, which msgspec tells as a ValidationError."""
        if self.path is not None and self.url is not None:
            raise ValueError("`path` and `url` exclude each other: one source, one place")
        if self.path is not None and not self.path.startswith("/"):
            raise ValueError("`path` must begin with /: a service has no folder of its own to begin in")
        for key, url in (("url", self.url), ("sha256_url", self.sha256_url)):
            if url is not None:
                _check_url(key, url, allow_http=self.allow_http)
        self._check_credentials()

    def _check_credentials(self) -> None:
        scheme = urlsplit(self.url or "https:").scheme
        if scheme == "sftp":
            if self.known_hosts_file is None:
                raise ValueError("`known_hosts_file` is missing: the server's keys, as ssh-keyscan HOST shows them")
            if self.username is None or (self.key_file is None) == (self.password_file is None):
                raise ValueError("sftp needs `username`, and either `key_file` or `password_file`")
        elif (self.cert_file is None) != (self.key_file is None):
            raise ValueError("`cert_file` and `key_file` go together")
        if scheme != "sftp" and (self.username is None) != (self.password_file is None):
            raise ValueError("`username` and `password_file` go together")
        if self.token_file is not None and (scheme != "https" or self.username is not None):
            raise ValueError("`token_file` is for https, and excludes `username`")
        if scheme == "http" and self.username is not None:
            raise ValueError("`username` with plain http would show the password to everybody on the way")


_SCHEMES: Final = frozenset({"https", "http", "sftp", "ftps", "ftpes"})


def _check_url(key: str, url: str, *, allow_http: bool) -> None:
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES or not parts.hostname or parts.port == 0 or len(parts.path) < 1:
        raise ValueError(f"`{key}` must be of the form https://host/path, or with sftp, ftps or ftpes")
    if parts.username is not None or parts.password is not None:
        raise ValueError(f"`{key}` must not carry credentials; use username and password_file, or key_file")
    if parts.scheme == "http" and not allow_http:
        raise ValueError(f"`{key}` is plain http: use https, or set allow_http = true")


class ArticlesSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`[articles]`."""

    source: tuple[SourceSettings, ...] = ()
    """Where the article master comes from; none for a box without one."""
    max_age_days: Annotated[int, Meta(ge=1, le=3650)] | None = None
    """An article master that was built longer ago is reported as old (MASTER_OLD); None: it is never too old."""
    delta_key_file: str | None = None
    """Ed25519 public key by which deltas must be signed (32 bytes, or hex or base64); a path or the name of a
    credential. Without it, any delta that the broker passes on is taken."""

    def priorities(self) -> dict[str, int]:
        """Return each source's precedence."""
        return {source.name: source.priority for source in self.source}
