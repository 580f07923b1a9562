"""The local server against its own OpenAPI document: whatever is asked, it never breaks."""

import contextlib

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from pywats_api.server import LocalWATS
from pywats_api.server.app import create_app
from pywats_api.sync import LoopThread

from .conftest import TOKEN, make_report

# Few for each operation: together they are a thousand requests, and the time of the suite is bounded.
EXAMPLES = 10
# The real server answers a BOM that is not valid with 500 and the reason.
MEANT_500 = {"PUT /api/Product/BOM"}
UNEXPECTED = "An error has occurred"
SCHEMA = schemathesis.openapi.from_dict(create_app(":memory:").openapi())
OPERATIONS = {
    operation.label: operation
    for operation in (found.ok() for found in SCHEMA.get_all_operations())
    # The knobs make the server fail on purpose.
    if operation.path != "/local/knobs"
}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """A local server that all operations share, as they would share a real one."""
    thread = LoopThread()
    server = LocalWATS(tmp_path_factory.mktemp("fuzz") / "wats.sqlite")
    thread.run(server.start())
    yield server.url
    thread.run(server.stop())
    thread.close()


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("label", OPERATIONS)
def test_no_request_breaks_the_server(url, label, mode):
    """Requests made from the document, right and wrong ones, are never answered with a 5xx."""
    operation = OPERATIONS[label]
    headers = {"Authorization": f"Basic {TOKEN}", "Referer": url}
    strategy = operation.as_strategy(generation_mode=mode)

    @hypothesis.settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(case=strategy)
    def ask(case):
        answer = case.call(base_url=url, headers=headers)
        if answer.status_code >= 500 and (label not in MEANT_500 or UNEXPECTED in answer.text):
            pytest.fail(f"{case.as_curl_command()}: {answer.status_code} {answer.text[:300]}")

    with contextlib.suppress(Unsatisfiable):  # of some operations nothing wrong can be asked
        ask()


def test_document_describes_reports():
    """A report the models make fits the schema in the document, and the parts of it are found there."""
    import jsonschema_rs

    document = create_app(":memory:").openapi()
    content = document["paths"]["/api/Report/WSJF"]["post"]["requestBody"]["content"]
    holder = document | {
        "$ref": "#/paths/~1api~1Report~1WSJF/post/requestBody/content/application~1json/schema"
    }
    assert "$defs" in content["application/json"]["schema"]
    validator = jsonschema_rs.Draft202012Validator(holder)
    wire = make_report().to_wire()
    assert validator.is_valid(wire)
    assert not validator.is_valid(wire | {"sn": ""})
