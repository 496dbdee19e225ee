"""Texts with backslashes, on their way into PostgreSQL; that they come back is seen in a real one, end to end."""

from ml_metadata.proto import metadata_store_pb2 as mlmd
from ml_metadata.proto import metadata_store_service_pb2 as service

from pipeline.postgresql_backslashes import replace_in


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
