"""The keys of a mapping: what each means, its type and its default. Examples are in `mappings/generic.yaml`."""

from typing import Annotated, Literal, get_args, overload

from msgspec import Meta, Struct

ParserName = Literal[
    "trimmed",
    "text",
    "name",
    "id",
    "date",
    "instant",
    "amount",
    "number",
    "integer",
    "rate",
    "flag",
    "currency",
    "instalments",
]
TableName = Literal[
    "customer",
    "customer_attribute",
    "order",
    "invoice",
    "credit_note",
    "payment",
    "allocation",
    "dispute",
    "promise",
    "contact",
    "bank_statement",
    "bank_entry",
    "fx_rate",
]
SERVED: tuple[Literal["entity"] | TableName, ...] = ("entity", *get_args(TableName))


class From(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where a value comes from (exactly one of the first three) and how it is read."""

    column: str | None = None  # a column of the source
    constant: str | None = None  # the same text for every row
    template: str | None = None  # text with {column} in it
    fallback: str | None = None  # another column, used where `column` (or one of the template's) is empty
    default: str | None = None  # text used where all of that is empty
    parser: ParserName | None = None  # the parser that fits the field, where not given
    formats: str | tuple[str, ...] = ()  # date, instant: strptime formats, tried in order
    decimal: str | None = None  # numbers: decimal sign, the file's where not given
    thousands: str | None = None  # numbers: grouping sign, the file's where not given
    remove: tuple[str, ...] = ()  # texts to cut out first, say a currency sign
    extract: str | None = None  # then a regular expression: its first group is what counts
    replace: dict[str, str] = {}  # then whole values to exchange, say {J: true, N: false}
    zfill: int = 0  # id: digits to restore, {zfill: 10} makes 200769623 0200769623
    negate: bool = False  # numbers: turn the sign round, say for credit notes listed as positive


class When(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A condition on one column of the source; all that are given must hold. Compared as trimmed text."""

    column: str
    present: bool | None = None
    equals: str | tuple[str, ...] = ()
    not_equals: str | tuple[str, ...] = ()
    matches: str | None = None  # a regular expression found anywhere in the value


class KnownAt(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When the fact was learnt: the start of the day in a column (where the entity is), or the instant in one."""

    start_of: str | From | None = None
    instant: str | From | None = None


class Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One table that the rows of a file feed."""

    table: TableName | Literal["entity"]  # entity only from an API; for files entities are declared in the mapping
    fields: dict[str, str | From] = {}  # field -> a column's name, or From
    attributes: dict[str, str | From] = {}  # customer_attribute, wide: attribute name -> the column of its values
    when: When | tuple[When, ...] = ()  # only these rows; all conditions must hold
    known_at: KnownAt | Literal["ingest", "always"] | None = None  # default: start of the table's day, else ingest
    repeats: Literal["conflict", "last"] = "conflict"  # customer data in invoice lines: last = the last line counts


class FileSpec(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Files of one layout and what they feed."""

    path: str  # inside the data folder; may hold * and ?
    tables: Annotated[tuple[Section, ...], Meta(min_length=1)]
    format: Literal["csv", "parquet", "xlsx"] | None = None  # from the suffix where not given
    optional: bool = False  # may be absent or empty
    separator: str = ","
    encoding: str = "utf-8"
    header_row: Annotated[int, Meta(ge=1)] = 1
    sheet: str | None = None  # xlsx: the first where not given
    decimal: str = "."
    thousands: str = ""
    dates: str | tuple[str, ...] = ("%Y-%m-%d",)
    missing: tuple[str, ...] = ("NULL", "null", "NaN", "nan", "N/A", "#N/A")  # besides empty text
    entity: From | None = None  # overrides the mapping's


class Books(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A legal entity of the seller."""

    name: str
    currency: str
    time_zone: str
    country: str | None = None


class Rest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A source that serves canonical tables over HTTP, see `connectors/rest.py` for the protocol."""

    path: str = "/api/v1/{table}"
    tables: tuple[Literal["entity", TableName], ...] = SERVED  # what the source has, if not all of them
    fields: dict[str, dict[str, str | From]] = {}  # table -> field -> where it differs from the table's own names
    page_size: Annotated[int, Meta(ge=1, le=1000)] = 500
    overlap_minutes: Annotated[int, Meta(ge=0)] = 60  # re-read this much, for commits that came late
    complete: bool = False  # every record has every column: one that is not there is an error and not empty


class Mapping(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How one source becomes canonical tables."""

    source: str
    entities: dict[str, Books] = {}
    entity: From | None = None  # whose books a row is in; not needed with one entity
    files: tuple[FileSpec, ...] = ()
    rest: Rest | None = None


def origin(source: str | From) -> From:
    """A column's name alone means the column."""
    return From(column=source) if isinstance(source, str) else source


@overload
def each(one_or_more: str | tuple[str, ...]) -> tuple[str, ...]: ...
@overload
def each(one_or_more: When | tuple[When, ...]) -> tuple[When, ...]: ...
def each(one_or_more: str | When | tuple[str, ...] | tuple[When, ...]) -> tuple[str, ...] | tuple[When, ...]:
    """A single value where a list is allowed means a list of one."""
    if isinstance(one_or_more, str):
        return (one_or_more,)
    return (one_or_more,) if isinstance(one_or_more, When) else one_or_more
