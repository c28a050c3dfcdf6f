"""DynamoDB of the embedded AWS: a transaction that fails takes nothing of anybody else with it.

Source: "Isolation levels for transactions", DynamoDB developer guide.
"""

import inspect
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.exceptions import ClientError
from moto.core.serialize import BaseJSONSerializer
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler

from tests.stage.compute_stage import running_stage

WRITERS, ITEMS = 8, 25


@pytest.fixture(scope="module")
def dynamodb(tmp_path_factory):
    with running_stage(tmp_path_factory.mktemp("dynamodb")) as context:
        client = context.client("dynamodb")
        client.create_table(
            TableName="t",
            BillingMode="PAY_PER_REQUEST",
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        )
        yield client


def put(pk: str, sk: str, **attributes: str) -> dict:
    keys = {"pk": {"S": pk}, "sk": {"S": sk}}
    return {"TableName": "t", "Item": {**keys, **{name: {"S": text} for name, text in attributes.items()}}}


def refused(pk: str, sk: str) -> dict:
    """A put whose condition does not hold, because the item is there."""
    return {"Put": {**put(pk, sk), "ConditionExpression": "attribute_not_exists(pk)"}}


def sort_keys(dynamodb, pk: str) -> list[str]:
    pages = dynamodb.get_paginator("query").paginate(
        TableName="t", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": pk}}
    )
    return [item["sk"]["S"] for page in pages for item in page["Items"]]


def test_what_is_written_while_other_transactions_fail_stays(dynamodb):
    dynamodb.put_item(**put("there", "already"))
    for start in range(0, 1500, 25):  # a large table takes long to copy: whoever copies it is caught
        dynamodb.batch_write_item(
            RequestItems={"t": [{"PutRequest": {"Item": put("filler", f"{start + i:06}")["Item"]}} for i in range(25)]}
        )

    def write(writer: int) -> None:
        for number in range(ITEMS):
            if writer % 2:
                with pytest.raises(ClientError, match="ConditionalCheckFailed"):
                    dynamodb.transact_write_items(TransactItems=[refused("there", "already")])
            else:
                dynamodb.put_item(**put(f"writer-{writer}", f"{number:03}"))

    with ThreadPoolExecutor(WRITERS) as pool:
        list(pool.map(write, range(WRITERS)))
    for writer in range(0, WRITERS, 2):
        assert sort_keys(dynamodb, f"writer-{writer}") == [f"{number:03}" for number in range(ITEMS)]


def test_a_transaction_that_fails_leaves_each_of_its_items_as_it_was(dynamodb):
    dynamodb.put_item(**put("undo", "changed", text="before"))
    dynamodb.put_item(**put("undo", "deleted", text="before"))
    dynamodb.put_item(**put("undo", "last"))
    update = {
        "TableName": "t",
        "Key": {"pk": {"S": "undo"}, "sk": {"S": "changed"}},
        "UpdateExpression": "SET #t = :a",
        "ExpressionAttributeNames": {"#t": "text"},
        "ExpressionAttributeValues": {":a": {"S": "after"}},
    }
    delete = {"TableName": "t", "Key": {"pk": {"S": "undo"}, "sk": {"S": "deleted"}}}
    with pytest.raises(ClientError) as canceled:
        dynamodb.transact_write_items(
            TransactItems=[{"Put": put("undo", "new")}, {"Update": update}, {"Delete": delete}, refused("undo", "last")]
        )
    codes = [reason["Code"] for reason in canceled.value.response["CancellationReasons"]]
    assert codes == ["None", "None", "None", "ConditionalCheckFailed"]
    items = dynamodb.query(
        TableName="t", KeyConditionExpression="pk = :p", ExpressionAttributeValues={":p": {"S": "undo"}}
    )["Items"]
    assert [(item["sk"]["S"], item.get("text", {}).get("S")) for item in items] == [
        ("changed", "before"),
        ("deleted", "before"),
        ("last", None),
    ]


def test_a_transaction_that_holds_writes_all_of_its_items(dynamodb):
    dynamodb.transact_write_items(TransactItems=[{"Put": put("all", "a")}, {"Put": put("all", "b")}])
    assert sort_keys(dynamodb, "all") == ["a", "b"]


KINDS = {
    "S": ({"S": "text"}, {"S": ""}),
    "N": ({"N": "-1.50"},),
    "B": ({"B": b"\x00\xff"},),
    "sets": ({"SS": ["a", "b"]}, {"NS": ["1", "2"]}, {"BS": [b"a"]}),
    "others": ({"BOOL": False}, {"BOOL": True}, {"NULL": True}),
    "L": ({"L": []}, {"L": [{"S": "a"}, {"L": [{"N": "1"}]}, {"M": {"x": {"BOOL": True}}}]}, {"L": [{"B": b"in"}]}),
    "M": ({"M": {}}, {"M": {"S": {"S": "a name like a kind"}, "b": {"M": {"c": {"B": b"deep"}}}}}),
}


@pytest.mark.parametrize("kind", KINDS)
def test_values_of_every_kind_come_back_as_they_were_put(dynamodb, kind):
    """As "AttributeValue" of DynamoDB's API reference tells them; those with bytes are written by moto itself."""
    item = put("kinds", kind)["Item"] | {f"a{place}": value for place, value in enumerate(KINDS[kind])}
    dynamodb.put_item(TableName="t", Item=item)
    found = dynamodb.get_item(TableName="t", Key={name: item[name] for name in ("pk", "sk")})["Item"]
    asked = {":p": {"S": "kinds"}, ":s": {"S": kind}}
    queried = dynamodb.query(
        TableName="t", KeyConditionExpression="pk = :p AND sk = :s", ExpressionAttributeValues=asked
    )
    assert found == item
    assert queried["Items"] == [item]


def test_the_parts_of_moto_that_are_replaced_are_as_they_were():
    assert list(inspect.signature(inspect.unwrap(Table.query)).parameters)[:8] == [
        "self", "hash_key", "range_comparison", "range_objs", "limit", "exclusive_start_key", "scan_index_forward",
        "projection_expressions",
    ]  # fmt: skip
    assert list(inspect.signature(inspect.unwrap(DynamoDBBackend.transact_write_items)).parameters) == [
        "self",
        "transact_items",
    ]
    assert list(inspect.signature(inspect.unwrap(DynamoHandler.call_action)).parameters) == ["self"]
    assert list(inspect.signature(inspect.unwrap(BaseJSONSerializer._serialize_type_structure)).parameters) == [
        *("self", "serialized", "value", "shape", "key")
    ]
    source = inspect.getsource(inspect.unwrap(DynamoDBBackend.transact_write_items))
    assert source.count("copy.deepcopy") == 1
    assert "original_table_state[table_name] = copy.deepcopy" in source
