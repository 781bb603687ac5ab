"""Values of OData on and off the wire, and metadata that lies in wait."""

from typing import Any

import pytest

from features.errors import BadInput, BadSetting, SourceBroken
from pipelines.connectors.odata_metadata import model_of
from pipelines.connectors.odata_values import decoded, literal

GUID = "01234567-89AB-cdef-0123-456789abcdef"


@pytest.mark.parametrize(
    ("edm_type", "wire", "plain"),
    [
        ("Edm.String", "0000100001", "0000100001"),
        ("Edm.String", None, None),
        ("Edm.DateTime", "/Date(1737504000000)/", "2025-01-22T00:00:00"),
        ("Edm.DateTime", "/Date(-86400000)/", "1969-12-31T00:00:00"),
        ("Edm.DateTime", "2025-01-22T00:00:00", "2025-01-22T00:00:00"),
        ("Edm.DateTimeOffset", "/Date(1737668815000+0120)/", "2025-01-23T21:46:55+00:00"),
        ("Edm.DateTimeOffset", "/Date(1737668815123)/", "2025-01-23T21:46:55.123000+00:00"),
        ("Edm.DateTimeOffset", "2025-01-23T23:46:55.1234567+02:00", "2025-01-23T21:46:55.123456+00:00"),
        ("Edm.Date", "2025-01-22", "2025-01-22"),
        ("Edm.Decimal", "29496.200", "29496.200"),
        ("Edm.Decimal", "1E+2", "100"),
        ("Edm.Int64", "9007199254740993", 9007199254740993),
        ("Edm.Boolean", False, False),
        ("Edm.Guid", GUID, GUID.lower()),
        ("Edm.Time", "PT12H30M", "PT12H30M"),
    ],
)
def test_values_come_off_the_wire_by_their_type(edm_type: str, wire: Any, plain: Any) -> None:
    assert decoded(edm_type, wire, "here") == plain


@pytest.mark.parametrize(
    ("edm_type", "wire"),
    [
        ("Edm.String", 100001),
        ("Edm.DateTime", "/Date(1737504000000+0060)/"),
        ("Edm.DateTime", "/Date(99999999999999999)/"),
        ("Edm.DateTime", "2025-01-22T00:00:00Z"),
        ("Edm.DateTime", "20250122"[:4]),
        ("Edm.DateTimeOffset", "2025-01-22T00:00:00"),
        ("Edm.Date", "20250122"),
        ("Edm.Date", "2025-02-30"),
        ("Edm.Decimal", "12,5"),
        ("Edm.Decimal", True),
        ("Edm.Decimal", "1E+999999"),
        ("Edm.Double", "INF"),
        ("Edm.Int32", "1.5"),
        ("Edm.Boolean", "true"),
        ("Edm.Guid", "1"),
    ],
)
def test_a_value_that_its_type_cannot_hold_is_named(edm_type: str, wire: Any) -> None:
    with pytest.raises(SourceBroken, match=f"here: .* is no {edm_type}"):
        decoded(edm_type, wire, "here")


@pytest.mark.parametrize(
    ("edm_type", "value", "v2", "v4"),
    [
        ("Edm.String", "O'N", "'O''N'", "'O''N'"),
        (
            "Edm.DateTimeOffset",
            "2025-01-23T22:46:55+01:00",
            "datetimeoffset'2025-01-23T21:46:55Z'",
            "2025-01-23T21:46:55Z",
        ),
        ("Edm.DateTime", "2025-01-22T00:00:00", "datetime'2025-01-22T00:00:00'", "2025-01-22T00:00:00"),
        ("Edm.Date", "2025-01-22", "2025-01-22", "2025-01-22"),
        ("Edm.Decimal", "12.50", "12.50M", "12.50"),
        ("Edm.Int64", "12", "12L", "12"),
        ("Edm.Boolean", True, "true", "true"),
        ("Edm.Guid", GUID, f"guid'{GUID.lower()}'", GUID.lower()),
    ],
)
def test_literals_are_written_as_the_version_has_them(edm_type: str, value: Any, v2: str, v4: str) -> None:
    assert (literal(edm_type, value, 2), literal(edm_type, value, 4)) == (v2, v4)


@pytest.mark.parametrize(
    "edm_type", ["Edm.Decimal", "Edm.DateTimeOffset", "Edm.Guid", "Edm.Int32", "Edm.Date", "Edm.Foo"]
)
def test_nothing_but_a_value_becomes_a_literal(edm_type: str) -> None:
    with pytest.raises(BadInput, match="cannot stand in a filter"):
        literal(edm_type, "1 or 1 eq 1", 4)


def edmx(inner: str, before: str = "") -> bytes:
    return (
        f'{before}<edmx:Edmx Version="1.0" xmlns:edmx="e"><edmx:DataServices><Schema Namespace="S" Alias="A" xmlns="s">'
        f"{inner}</Schema></edmx:DataServices></edmx:Edmx>"
    ).encode()


ITEM = (
    '<EntityType Name="Item"><Key><PropertyRef Name="Id"/></Key><Property Name="Id" Type="Edm.String"/>{}</EntityType>'
)
SET = '<EntityContainer Name="C"><EntitySet Name="Items" EntityType="S.Item"/></EntityContainer>'


def test_entities_in_metadata_are_refused_before_anything_is_read() -> None:
    outside = '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    with pytest.raises(SourceBroken, match="DOCTYPE"):
        model_of(edmx(ITEM.format("<Documentation>&a;</Documentation>") + SET, outside), "here")
    with pytest.raises(SourceBroken, match="DOCTYPE"):
        model_of(edmx(ITEM.format("") + SET, '<!DOCTYPE x SYSTEM "http://evil.test/x.dtd">'), "here")


def test_a_bomb_of_entities_is_refused() -> None:
    layers = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb = f'<!DOCTYPE x [<!ENTITY a0 "boom">{layers}]>'
    with pytest.raises(SourceBroken):
        model_of(edmx(f"<x>&a11;</x>{ITEM.format('')}{SET}", bomb), "here")


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><body>log in",
        b"<html/>",
        edmx(ITEM.format("")),
        edmx(SET),
        edmx(ITEM.format('<NavigationProperty Name="to_X" Relationship="S.R" FromRole="a" ToRole="b"/>') + SET),
        edmx('<EntityType Name="Item" BaseType="S.Item"/>' + SET),
    ],
    ids=["nothing", "cut off", "html", "no set", "no type", "no association", "its own ancestor"],
)
def test_metadata_that_is_none_is_named(document: bytes) -> None:
    with pytest.raises(SourceBroken, match="here: "):
        model_of(document, "here")


def test_types_inherit_keys_and_properties_and_links_lead_through_associations() -> None:
    base = (
        '<EntityType Name="Base"><Key><PropertyRef Name="Id"/></Key>'
        '<Property Name="Id" Type="Edm.String" MaxLength="Max"/></EntityType>'
    )
    item = (
        '<EntityType Name="Item" BaseType="A.Base"><Property Name="At" Type="A.Place" Nullable="false"/>'
        '<Property Name="Tags" Type="Collection(Edm.String)"/>'
        '<NavigationProperty Name="to_Item" Relationship="A.R" FromRole="a" ToRole="b"/></EntityType>'
    )
    place = '<ComplexType Name="Place"><Property Name="City" Type="Edm.String" MaxLength="40"/></ComplexType>'
    ends = (
        '<Association Name="R"><End Role="a" Type="A.Item" Multiplicity="1"/>'
        '<End Role="b" Type="A.Item" Multiplicity="*"/></Association>'
    )
    model = model_of(edmx(base + item + place + ends + SET), "here")
    entity = model.entity("Items")
    assert (model.version, entity.keys, list(entity.properties)) == (2, ("Id",), ["Id", "At", "Tags"])
    assert (entity.properties["Id"].max_length, entity.properties["At"].type) == (None, "S.Place")
    assert (entity.properties["At"].nullable, entity.properties["Tags"].many) == (False, True)
    assert entity.links == {"to_Item": ("S.Item", True)}
    assert model.types["S.Place"].properties["City"].max_length == 40
    with pytest.raises(BadSetting, match="the service has: Items"):
        model.entity("Other")
