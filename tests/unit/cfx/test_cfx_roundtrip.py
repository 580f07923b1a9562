"""Bodies of all messages, made up from the standard's catalogue in every spelling that senders use."""

from __future__ import annotations

import base64
import json
from uuid import UUID

import pytest
from cfx_facts import ZERO_GUID, catalogue, classes, lost
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pywats_cfx.messages.registry import read_message, read_message_json
from pywats_cfx.messages.writing import to_wire

MESSAGES = sorted(catalogue()["messages"]) or ["none"]
SEVEN = ["", ".5", ".25", ".123", ".1234", ".12345", ".283198", ".2831980", ".2831981", ".0000001"]
ZONES = ["Z", "+00:00", "-04:00", "+05:30", ""]
RARELY = 0.08


class Sender:
    """Writes bodies as a sender would who knows the standard, but not its manners."""

    def __init__(self, random):
        self.random = random

    def body(self, kind, depth=3):
        """Make up an object: any fields, in any order, some names in another case."""
        fields = list(classes()[kind]["fields"])
        self.random.shuffle(fields)
        made = {}
        for field in fields:
            if field.get("input_only") or field.get("derived_value") or self.maybe(0.2):
                continue
            made[self.name(field["name"])] = self.field(field, depth)
        if self.maybe(RARELY):
            made["VendorExtension"] = {"value": [1, None, "x"]}
        return made

    def maybe(self, chance):
        """Tell whether something happens that does so with this chance."""
        return self.random.random() < chance

    def name(self, name):
        """Spell a field's name."""
        if self.maybe(0.9):
            return name
        return self.random.choice([name.lower(), name.upper(), name[0].lower() + name[1:]])

    def field(self, field, depth):
        """Make up what a field holds."""
        if self.maybe(RARELY):
            return None
        if field.get("dict"):
            return {"en": "clogged", "de-DE": None}
        if field["list"]:
            items = [self.value(field, depth - 1) for _ in range(self.random.randrange(3) if depth else 0)]
            return {"$type": "List`1", "$values": items} if self.maybe(RARELY) else items
        return self.value(field, depth - 1) if depth or field["type"] not in classes() else None

    def value(self, field, depth):
        """Make up one value of a type."""
        kind = field["type"]
        if kind in classes():
            return self.structure(field, depth)
        if kind in catalogue()["enums"]:
            return self.member(catalogue()["enums"][kind])
        return getattr(self, kind)()

    def structure(self, field, depth):
        """Make up an object, of any class of its family where the standard's writers would label it."""
        given = classes()[field["type"]]
        family = [name for name in given.get("derived", []) if "list_of" not in classes()[name]]
        chosen = self.random.choice([*family, *([] if given.get("abstract") else [field["type"]])] or [None])
        if chosen is None or (chosen != field["type"] and field.get("discriminator") == "no"):
            chosen = field["type"]
        body = self.body(chosen, depth)
        if chosen != field["type"]:
            body = {
                "$type": self.random.choice([f"{chosen}, CFX", chosen, f"{chosen}, CFX, Version=2.1.0.0"])
            } | body
        elif self.maybe(RARELY):
            body = {"$type": "Vendor.Special, Vendor", "Torque": 1.5} | body
        elif family:
            body = {"$type": f"{chosen}, CFX"} | body
        return body

    def member(self, enum):
        """Spell a member of an enumeration, or make up one that the standard does not have."""
        member = self.random.choice(enum["members"])
        if self.maybe(RARELY):
            return self.random.choice(["Vendor_Special", 98765, "98765"])
        spelled = [member["name"], member["name"].lower(), member["name"].upper()]
        return self.random.choice(
            [*spelled, member["value"], str(member["value"]), *member.get("wire", "").split()]
        )

    def string(self):
        """Make up a text."""
        return self.random.choice(["R1", "", "Düse 5 µm", " blank ", "4711", 4711, 1.5, "x" * 300])

    def int(self):
        """Make up a whole number."""
        number = self.random.choice([0, 1, -7, 2**31 - 1])
        return self.random.choice([number, str(number), float(number)])

    def double(self):
        """Make up a number."""
        number = self.random.choice([0, 0.0, 1.5, -2.25e-9, 6.02e23, 0.1])
        return self.random.choice([number, number, str(number), "NaN", "Infinity", "-Infinity"])

    def decimal(self):
        """Make up a number with exact digits."""
        return self.random.choice([0, 1.5, "1.5", "79228162514264337593543950335", "0.1234567890123456789"])

    def bool(self):
        """Make up a truth value."""
        return self.random.choice([True, False, "true", "false", "True", "False"])

    def datetime(self):
        """Make up a time, or one that is not set."""
        moment = f"2018-10-03T16:02:33{self.random.choice(SEVEN)}{self.random.choice(ZONES)}"
        return "0001-01-01T00:00:00" if self.maybe(RARELY) else moment

    def timespan(self):
        """Make up a time span."""
        return self.random.choice(
            ["00:01:25", "1.01:01:01.5000000", "-00:00:00.25", "00:00:25.1234567", "00:00:00"]
        )

    def guid(self):
        """Make up a guid, or one that is not set."""
        return self.random.choice([str(UUID(int=self.random.getrandbits(128))), ZERO_GUID])

    def bytes(self):
        """Make up bytes."""
        return base64.b64encode(self.random.randbytes(9)).decode()

    def long(self):
        """Make up a large whole number."""
        return self.random.choice([0, 2**53 - 1, str(-(2**62))])


@pytest.mark.parametrize("name", MESSAGES)
@pytest.mark.usefixtures("reference")
def test_what_a_sender_says_is_read_and_written(name):
    """Nothing is refused, lost or made up; and from the text it is the same as from its data."""

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(st.randoms(use_true_random=True))
    def holds(random):
        body = Sender(random).body(name)
        message = read_message(name, body)
        written = to_wire(message)
        text = json.dumps(written, allow_nan=False)
        assert lost(name, body, written) == []
        assert to_wire(read_message_json(name, json.dumps({"MessageBody": body}).encode())) == written
        again = read_message(name, json.loads(text))
        assert to_wire(again) == written

    holds()
