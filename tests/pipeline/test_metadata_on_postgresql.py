"""How requests and answers are changed for PostgreSQL; that it helps is seen in a real one, end to end."""

from ml_metadata.proto import metadata_store_pb2 as mlmd
from ml_metadata.proto import metadata_store_service_pb2 as service

from pipeline.metadata_on_postgresql import replace_in, sort_by_id


def test_texts_are_replaced_at_any_depth() -> None:
    request = service.PutArtifactsRequest()
    artifact = request.artifacts.add(uri="a\\b", id=7)
    artifact.custom_properties["c\\d"].string_value = "e\\f\\g"
    artifact.custom_properties["number"].int_value = 3
    artifact.custom_properties["struct"].struct_value.fields["h"].string_value = "i\\j"
    before = service.PutArtifactsRequest.FromString(request.SerializeToString())

    replace_in(request, "\\", "|")
    (replaced,) = request.artifacts
    assert (replaced.uri, replaced.id) == ("a|b", 7)
    assert replaced.custom_properties["c\\d"].string_value == "e|f|g"
    assert replaced.custom_properties["struct"].struct_value.fields["h"].string_value == "i|j"

    replace_in(request, "|", "\\")
    assert request == before


def test_lists_and_maps_of_other_things_stay() -> None:
    request = service.GetContextsByTypeRequest(type_name="a\\b")
    replace_in(request, "\\", "|")
    assert request.type_name == "a|b"
    names = service.GetArtifactsByURIRequest(uris=["a\\b", "c"])
    replace_in(names, "\\", "|")
    assert list(names.uris) == ["a|b", "c"]
    kind = mlmd.ArtifactType(name="a", properties={"b": mlmd.STRING})
    replace_in(kind, "b", "c")
    assert kind == mlmd.ArtifactType(name="a", properties={"b": mlmd.STRING})


def test_answers_come_in_the_order_of_ids() -> None:
    response = service.GetArtifactsByIDResponse()
    for number, uri in ((9, "b"), (8, "a")):
        response.artifacts.add(id=number, uri=uri)
    sort_by_id(response)
    assert [(each.id, each.uri) for each in response.artifacts] == [(8, "a"), (9, "b")]
    nothing_to_sort = service.PutContextsResponse(context_ids=[2, 1])
    sort_by_id(nothing_to_sort)
    assert list(nothing_to_sort.context_ids) == [2, 1]
