"""A query that Trino would refuse fails by Trino's name for it, and what the embedded Athena cannot run is named.

The names are those of `StandardErrorCode` of Trino's SPI; which query has which follows from https://trino.io/docs/current/.
"""

from pathlib import Path

import pytest

from local_stage.athena.failures import AthenaFailure
from local_stage.athena.function_names import NOT_RUN, RUN
from local_stage.athena.special_calls import SPECIAL_CALLS
from tests.unit.trino_sessions import answer


@pytest.mark.parametrize(
    ("sql", "failure"),
    [
        ("SELECT 1 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT 1 % 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT 1.0 / 0", "DIVISION_BY_ZERO: Division by zero"),
        ("SELECT 99999999999999999999.0 * 999999999999999999.0", "NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow"),
        ("SELECT 2147483647 + 1", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("SELECT 9223372036854775807 + 1", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("SELECT sum(v) FROM (VALUES 9223372036854775807, 1) t(v)", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("SELECT CAST(300 AS tinyint)", "NUMERIC_VALUE_OUT_OF_RANGE"),
        ("SELECT CAST('1.5' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast '1.5' to INTEGER"),
        ("SELECT CAST(' 5' AS integer)", "INVALID_CAST_ARGUMENT: Cannot cast ' 5' to INTEGER"),
        ("SELECT CAST('yes' AS boolean)", "INVALID_CAST_ARGUMENT: Cannot cast 'yes' to BOOLEAN"),
        ("SELECT CAST('2020-02-30' AS date)", "INVALID_CAST_ARGUMENT: Value cannot be cast to date: 2020-02-30"),
        (
            "SELECT CAST(12345 AS varchar(3))",
            r"INVALID_CAST_ARGUMENT: Value 12345 cannot be represented as varchar\(3\)",
        ),
        ("SELECT CAST(123.4 AS decimal(2,1))", "INVALID_CAST_ARGUMENT"),
        ("SELECT CAST(1 AS date)", "TYPE_MISMATCH: Cannot cast integer to date"),
        ("SELECT CAST(JSON '[1, 2, 3]' AS VARCHAR)", "INVALID_CAST_ARGUMENT"),
        ("SELECT json_parse('not_json')", "INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: 'not_json'"),
        (
            "SELECT ARRAY[1, 2][3]",
            "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 3 > 2",
        ),
        ("SELECT ARRAY[1, 2][0]", "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1"),
        ("SELECT ARRAY[1, 2][-1]", "INVALID_FUNCTION_ARGUMENT: Array subscript is negative: -1"),
        ("SELECT element_at(ARRAY[1], 0)", "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1"),
        ("SELECT map(ARRAY['a'], ARRAY[1])['b']", "INVALID_FUNCTION_ARGUMENT: Key not present in map: b"),
        ("SELECT map(ARRAY[1, 1], ARRAY[2, 3])", "INVALID_FUNCTION_ARGUMENT: Duplicate map keys"),
        ("SELECT split_part('a', ',', 0)", "INVALID_FUNCTION_ARGUMENT: Index must be greater than zero"),
        (
            "SELECT sequence(1, 10001)",
            "INVALID_FUNCTION_ARGUMENT: result of sequence function must not have more than 10000 entries",
        ),
        (
            "SELECT date_diff('hour', date '2020-01-01', date '2020-01-02')",
            "INVALID_FUNCTION_ARGUMENT: 'hour' is not a valid DATE field",
        ),
        (
            "SELECT date '2020-01-01' + interval '1' hour",
            "INVALID_FUNCTION_ARGUMENT: Cannot add hour, minutes or seconds to a date",
        ),
        ("SELECT width_bucket(1e0, 2, 2, 3)", "INVALID_FUNCTION_ARGUMENT: bounds cannot equal each other"),
        ("SELECT date_format(now(), '%D')", "INVALID_FUNCTION_ARGUMENT: %D not supported in date format string"),
        (
            "SELECT (SELECT x FROM (VALUES 1, 2) t(x))",
            "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows",
        ),
        # no value becomes another type without being asked
        ("SELECT 'a' = 1", r"TYPE_MISMATCH: Cannot apply operator: varchar\(1\) = integer"),
        ("SELECT '1' + 1", r"TYPE_MISMATCH: Cannot apply operator: varchar\(1\) \+ integer"),
        ("SELECT date '2020-01-01' = '2020-01-01'", "TYPE_MISMATCH: Cannot apply operator"),
        ("SELECT 1 || 'a'", "TYPE_MISMATCH: Cannot apply operator"),
        ("SELECT 1 AND true", "TYPE_MISMATCH: Logical expression term of AND must evaluate to a boolean"),
        ("SELECT 1 WHERE 1", "TYPE_MISMATCH: WHERE clause must evaluate to a boolean"),
        ("SELECT IF(1, 2)", "TYPE_MISMATCH"),
        ("SELECT coalesce(1, 'a')", "TYPE_MISMATCH: All COALESCE operands must be the same type"),
        ("SELECT CASE WHEN true THEN 1 ELSE 'a' END", "TYPE_MISMATCH: All CASE results must be the same type"),
        ("SELECT ARRAY[1, 'a']", "TYPE_MISMATCH: All ARRAY elements must be the same type"),
        ("SELECT 1 UNION SELECT 'a'", "TYPE_MISMATCH: column in UNION query has incompatible types"),
        ("SELECT 1 UNION SELECT 1, 2", "TYPE_MISMATCH: UNION query has different number of fields"),
        ("SELECT 1 IN ('a')", "TYPE_MISMATCH"),
        ("SELECT length(1)", r"FUNCTION_NOT_FOUND: Unexpected parameters \(integer\) for function length"),
        ("SELECT sum('a')", "FUNCTION_NOT_FOUND: Unexpected parameters"),
        ("SELECT transform(ARRAY[1], (x, y) -> x)", "INVALID_PARAMETER_USAGE"),
        # names and scopes
        ("SELECT a FROM (VALUES 1) t(x)", "COLUMN_NOT_FOUND: Column 'a' cannot be resolved"),
        ("SELECT x AS y FROM (VALUES 1) t(x) WHERE y = 1", "COLUMN_NOT_FOUND: Column 'y' cannot be resolved"),
        ("SELECT x AS y FROM (VALUES 1) t(x) GROUP BY y", "COLUMN_NOT_FOUND: Column 'y' cannot be resolved"),
        ("SELECT x FROM (VALUES 1) t(x), (VALUES 2) u(x)", "AMBIGUOUS_NAME: Column 'x' is ambiguous"),
        ("SELECT x, count(*) FROM (VALUES 1) t(x)", "EXPRESSION_NOT_AGGREGATE"),
        ("SELECT x FROM (VALUES 1) t(x) WHERE max(x) = 1", "EXPRESSION_NOT_SCALAR"),
        ("SELECT DISTINCT x FROM (VALUES (1, 2)) t(x, y) ORDER BY y", "EXPRESSION_NOT_IN_DISTINCT"),
        ("SELECT rank() FROM (VALUES 1) t(x)", "MISSING_OVER"),
        ("SELECT * FROM (VALUES (1, 2)) t(x)", "MISMATCHED_COLUMN_ALIASES"),
        # what DuckDB knows and Trino does not
        ("SELECT len('abc')", "FUNCTION_NOT_FOUND: Function 'len' not registered"),
        ("SELECT ifnull(1, 2)", "FUNCTION_NOT_FOUND: Function 'ifnull' not registered"),
        ("SELECT list_sum(ARRAY[1])", "FUNCTION_NOT_FOUND: Function 'list_sum' not registered"),
        ("SELECT getenv('HOME')", "FUNCTION_NOT_FOUND: Function 'getenv' not registered"),
        ("SELECT athena_fail('a', 'b')", "FUNCTION_NOT_FOUND: Function 'athena_fail' not registered"),
        ("SELECT strftime(now(), '%Y')", "FUNCTION_NOT_FOUND"),
        (
            "SELECT * FROM read_parquet('/etc/passwd')",
            "NOT_SUPPORTED: the embedded Athena does not run the table function read_parquet",
        ),
        ("SELECT DISTINCT ON (x) x FROM (VALUES 1) t(x)", "SYNTAX_ERROR"),
        ("SELECT x FROM (VALUES 1) t(x) QUALIFY row_number() OVER () = 1", "SYNTAX_ERROR"),
        ("SELECT * EXCLUDE (x) FROM (VALUES (1, 2)) t(x, y)", "SYNTAX_ERROR"),
        ("SELECT 1::integer", "SYNTAX_ERROR"),
        ("SELECT [1, 2]", "SYNTAX_ERROR"),
        ("SELECT 'a' ILIKE 'A'", "NOT_SUPPORTED: the embedded Athena does not run ILIKE"),
        ("SELECT x FROM (VALUES 1) t(x) GROUP BY ALL", "SYNTAX_ERROR"),
        ("SELECT 1 IS TRUE", "SYNTAX_ERROR"),
        ("SELECT 2 ^ 3", "SYNTAX_ERROR"),
        ("SELECT 1 == 1", "SYNTAX_ERROR"),
        ("SELECT {'a': 1}", "SYNTAX_ERROR"),
        ("SELECT FROM WHERE", "SYNTAX_ERROR"),
        ("SELECT 1; SELECT 2", "SYNTAX_ERROR"),
        # what Trino knows and the embedded one does not run
        (
            "SELECT try(max(v) / 0) FROM (VALUES 1) t(v)",
            "NOT_SUPPORTED: the embedded Athena does not run TRY around an aggregate",
        ),
        ("SELECT nth_value(x, 0) OVER () FROM (VALUES 1) t(x)", "INVALID_FUNCTION_ARGUMENT: Offset must be at least 1"),
        ("SELECT lag(x, -1) OVER () FROM (VALUES 1) t(x)", "INVALID_FUNCTION_ARGUMENT: Offset must be at least 0"),
        ("SELECT -(-9223372036854775808)", "NUMERIC_VALUE_OUT_OF_RANGE"),
        (
            "SELECT contains(ARRAY[ROW(1, NULL)], ROW(1, NULL))",
            "NOT_SUPPORTED: the embedded Athena does not run contains",
        ),
        ("SELECT contains(ARRAY[nan()], nan())", "NOT_SUPPORTED: the embedded Athena does not run contains"),
        (
            "SELECT x FROM (VALUES ARRAY[1]) t(x) ORDER BY x",
            "NOT_SUPPORTED: the embedded Athena does not run ORDER BY of",
        ),
        ("SELECT max(x) FROM (VALUES ARRAY[1]) t(x)", "NOT_SUPPORTED: the embedded Athena does not run max of array"),
        (
            "SELECT sequence(now(), now(), interval '1' hour)",
            "NOT_SUPPORTED: the embedded Athena does not run sequence",
        ),
        ("SELECT checksum(1)", "NOT_SUPPORTED: the embedded Athena does not run the function checksum"),
        ("SELECT format('%d', 1)", "NOT_SUPPORTED: the embedded Athena does not run the function format"),
        ("SELECT xxhash64(X'00')", "NOT_SUPPORTED: the embedded Athena does not run the function xxhash64"),
        (
            "SELECT array_sort(ARRAY[1], (x, y) -> 0)",
            "NOT_SUPPORTED: the embedded Athena does not run array_sort",
        ),
        ("SELECT regexp_like('é', '\\w')", "NOT_SUPPORTED: the embedded Athena does not run the pattern"),
        ("SELECT try(regexp_like('é', '\\w'))", "NOT_SUPPORTED: the embedded Athena does not run the pattern"),
        ("SELECT regexp_replace('abc', 'x*', '-')", "NOT_SUPPORTED: the embedded Athena does not run the pattern"),
        ("SELECT regexp_like('a', '[a&&b]')", "NOT_SUPPORTED: the embedded Athena does not run the pattern"),
        ("SELECT json_extract('[1]', '$.*')", r"NOT_SUPPORTED: the embedded Athena does not run the JSON path \$\.\*"),
        (
            "SELECT ARRAY[1, NULL] = ARRAY[1, NULL]",
            "NOT_SUPPORTED: the embedded Athena does not run comparisons of arrays that hold NULL",
        ),
        ("SELECT JSON '1' = JSON '1'", "NOT_SUPPORTED: the embedded Athena does not run comparisons of json"),
        (
            "SELECT timestamp '2020-01-01 00:00:00.1234567'",
            "NOT_SUPPORTED: the embedded Athena does not run timestamps with 7 digits",
        ),
        ("SELECT CAST('a' AS char(3))", "NOT_SUPPORTED: the embedded Athena does not run the type char"),
        ("SELECT max(v) FROM (VALUES 1e0, nan()) t(v)", "NOT_SUPPORTED: the embedded Athena does not run max of NaN"),
        (
            "SELECT * FROM (VALUES 1) t(x) TABLESAMPLE BERNOULLI (10)",
            "NOT_SUPPORTED: the embedded Athena does not run TABLESAMPLE",
        ),
        (
            "WITH RECURSIVE t(x) AS (SELECT 1) SELECT x FROM t",
            "NOT_SUPPORTED: the embedded Athena does not run WITH RECURSIVE",
        ),
        ("SELECT * FROM a NATURAL JOIN b", "TABLE_NOT_FOUND"),
        ("SELECT * FROM other.db.t", "NOT_SUPPORTED: the embedded Athena does not run queries over the catalog other"),
    ],
)
def test_a_query_that_is_wrong_or_cannot_be_run_fails_by_name(sql, failure):
    with pytest.raises(AthenaFailure, match=f"^{failure}"):
        answer(sql)


# the names on https://trino.io/docs/current/functions/list.html, without those of geospatial and machine learning
NAMES = frozenset(Path(__file__).with_name("trino_functions.txt").read_text().split())


def test_every_function_of_trino_is_run_or_refused_by_name():
    run = RUN | set(SPECIAL_CALLS) | {"trim"}

    assert {name for name in NAMES if name not in run and name not in NOT_RUN} == set()
    assert run & NOT_RUN == set()


def test_no_function_is_run_that_trino_does_not_have():
    of_the_grammar = {"current_timestamp", "localtimestamp", "grouping", "row"}
    beside_the_list = {"bitwise_xor_agg"}  # aggregate.html has it

    assert (RUN | set(SPECIAL_CALLS)) - NAMES == of_the_grammar | beside_the_list


def test_parameters_that_are_too_few_are_refused():
    with pytest.raises(
        AthenaFailure, match=r"^INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 1 but found 0"
    ):
        answer("SELECT ?")


def test_a_parameter_that_is_no_literal_is_refused():
    with pytest.raises(AthenaFailure, match=r"^INVALID_PARAMETER_USAGE: a parameter has to be a literal"):
        answer("SELECT ?", "(SELECT 1)")
