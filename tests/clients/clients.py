"""The packages `meilisearch` and `algoliasearch` from PyPI."""

import json
import sys
import traceback
import urllib.request
from urllib.parse import urlparse

import meilisearch
from algoliasearch.http.hosts import CallType, Host, HostsCollection
from algoliasearch.search.client import SearchClientSync
from algoliasearch.search.config import SearchConfig
from meilisearch.errors import MeilisearchApiError

BASE = sys.argv[1]


def native(query):
    with urllib.request.urlopen(f"{BASE}/v1/search?{query}") as response:
        return json.load(response)


def counts(answer, facet):
    return {value["value"]: value["count"] for value in answer["facets"][facet]["values"] if value["count"]}


def meili():
    client = meilisearch.Client(BASE, "any key")
    index = client.index("workflows")
    assert client.health() == {"status": "available"}
    found = index.search("warm", {"filter": "genre = House", "facets": ["device"], "limit": 3})
    told = native("q=warm&genre=House&limit=3&facet_limit=100")
    assert found["estimatedTotalHits"] == told["total"] > 0
    assert [hit["id"] for hit in found["hits"]] == [hit["id"] for hit in told["hits"]]
    assert found["facetDistribution"]["device"] == counts(told, "device")
    # It always sends `"federation": null`.
    results = client.multi_search([{"indexUid": "workflows", "q": "warm"}, {"indexUid": "workflows", "q": "deep"}])["results"]
    assert [result["query"] for result in results] == ["warm", "deep"]
    hits = index.facet_search("genre", "dr")["facetHits"]
    assert [hit["value"] for hit in hits] == ["Drum & Bass"]
    assert index.get_document(7).id == 7
    for call, code in [
        (lambda: client.index("racks").search("x"), "index_not_found"),
        (lambda: index.search("x", {"filter": "colour = red"}), "invalid_search_filter"),
        (lambda: index.add_documents([{"id": 1}]), "invalid_api_key"),
    ]:
        try:
            call()
        except MeilisearchApiError as error:
            assert error.code == code, error
        else:
            raise AssertionError(f"{code} was not raised")


def algolia():
    address = urlparse(BASE)
    config = SearchConfig("APP", "any key")
    host = Host(address.hostname, scheme="http", port=address.port, accept=CallType.READ | CallType.WRITE)
    config.hosts = HostsCollection([host])
    client = SearchClientSync(config=config)
    response = client.search({
        "requests": [
            {"indexName": "workflows", "query": "warm", "facetFilters": [["genre:House"]], "facets": ["device"], "hitsPerPage": 3},
        ]
    })
    found = json.loads(response.to_json())["results"][0]
    told = native("q=warm&genre=House&limit=3&facet_limit=100")
    assert found["nbHits"] == told["total"] > 0
    assert [hit["objectID"] for hit in found["hits"]] == [str(hit["id"]) for hit in told["hits"]]
    assert found["facets"]["device"] == counts(told, "device")


for run in (meili, algolia):
    try:
        run()
        print(f"ok {run.__name__} from PyPI")
    except Exception:
        print(f"not ok {run.__name__} from PyPI")
        traceback.print_exc(file=sys.stdout)
        raise SystemExit(1)
