"""Functions of numbers, text, bytes, JSON and regular expressions: Trino's forms, and DuckDB's text for each.

Source: https://trino.io/docs/current/functions.html
"""

from collections.abc import Sequence

from local_stage.athena.casts import cast_sql, failing
from local_stage.athena.failures import NOT_SUPPORTED, unsupported
from local_stage.athena.regexps import is_plain
from local_stage.athena.signatures import Render
from local_stage.athena.types import VARCHAR, TrinoType
from local_stage.athena.values import Value, quote

# Character.isWhitespace of Java
_BLANKS = quote(
    "\t\n\x0b\f\r\x1c\x1d\x1e\x1f \u1680"
    + "".join(map(chr, (*range(0x2000, 0x2007), *range(0x2008, 0x200B))))
    + "\u2028\u2029\u205f\u3000"
)
Table = dict[str, Sequence[tuple[str, Render]]]


def _as_result(template: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        return f"CAST({template.format(*(value.sql for value in values))} AS {result.duckdb()})"

    return render


def _finite(name: str) -> str:
    return f"CASE WHEN isfinite({{0}}) THEN {name}({{0}}) WHEN {{0}} IS NOT NULL THEN CAST('nan' AS DOUBLE) END"


def _unit_range(name: str) -> str:
    return f"CASE WHEN abs({{0}}) <= 1 THEN {name}({{0}}) WHEN {{0}} IS NOT NULL THEN CAST('nan' AS DOUBLE) END"


def _extreme(name: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        given = ", ".join(value.sql for value in values)
        missing = " OR ".join(f"{value.sql} IS NULL" for value in values)
        refused = ""
        if result.is_real:
            nan = " OR ".join(f"isnan({value.sql})" for value in values)
            failure = failing(quote(f"the embedded Athena does not run {name} of NaN"), result, NOT_SUPPORTED)
            refused = f" WHEN {nan} THEN {failure}"
        return f"CASE WHEN {missing} THEN NULL{refused} ELSE {name}({given}) END"

    return render


def _round_decimal(values: Sequence[Value], result: TrinoType) -> str:
    digits = values[1].constant
    if not isinstance(digits, int) or digits < 0:
        raise unsupported("round of a decimal to digits that are no plain number")
    return f"CAST(round({values[0].sql}, {min(digits, values[0].type.scale)}) AS {result.duckdb()})"


def _width_bucket(values: Sequence[Value], result: TrinoType) -> str:
    x, one, other, number = (value.sql for value in values)
    low, high = f"least({one}, {other})", f"greatest({one}, {other})"
    bucket = (
        f"CASE WHEN {x} < {low} THEN 0 WHEN {x} >= {high} THEN {number} + 1"
        f" ELSE CAST(floor({number} * ({x} - {low}) / ({high} - {low}) + 1) AS BIGINT) END"
    )
    missing = " OR ".join(f"{value.sql} IS NULL" for value in values)
    return (
        f"CASE WHEN {missing} THEN NULL"
        f" WHEN {number} <= 0 THEN {failing(quote('bucketCount must be greater than 0'), result)}"
        f" WHEN {one} = {other} THEN {failing(quote('bounds cannot equal each other'), result)}"
        f" WHEN isnan({x}) OR NOT isfinite({one}) OR NOT isfinite({other})"
        f" THEN {failing(quote('operand and bounds must be numbers, bounds finite'), result)}"
        f" WHEN {one} > {other} THEN {number} - {bucket} + 1 ELSE {bucket} END"
    )


def _bin_bucket(values: Sequence[Value], result: TrinoType) -> str:
    x, bins = (value.sql for value in values)
    return (
        f"CASE WHEN {x} IS NULL OR {bins} IS NULL THEN NULL"
        f" WHEN len({bins}) = 0 THEN {failing(quote('Bins cannot be an empty array'), result)}"
        f" WHEN isnan({x}) THEN {failing(quote('Operand cannot be NaN'), result)}"
        f" ELSE len(list_filter({bins}, lambda bin: bin <= {x})) END"
    )


def _joined(values: Sequence[Value], result: TrinoType) -> str:
    del result
    return "(" + " || ".join(value.sql for value in values) + ")"


def _joined_with(values: Sequence[Value], result: TrinoType) -> str:
    del result
    parts = ", ".join(value.sql for value in values[1:])
    return f"CASE WHEN {values[0].sql} IS NOT NULL THEN concat_ws({values[0].sql}, {parts}) END"


def _not_empty(values: Sequence[Value], what: str, sql: str, result: TrinoType) -> str:
    failure = failing(quote(f"the embedded Athena does not run {what}"), result, NOT_SUPPORTED)
    return f"CASE WHEN {values[1].sql} = '' THEN {failure} ELSE {sql} END"


def _replace(values: Sequence[Value], result: TrinoType) -> str:
    wanted = values[2].sql if len(values) > 2 else "''"
    sql = f"replace({values[0].sql}, {values[1].sql}, {wanted})"
    return _not_empty(values, "replace of an empty text", sql, result)


def _split(values: Sequence[Value], result: TrinoType) -> str:
    text, separator = (value.sql for value in values)
    failure = failing(quote("The delimiter may not be the empty string"), result)
    parts = f"WHEN {separator} IS NOT NULL THEN string_split({text}, {separator})"
    return f"CASE WHEN {separator} = '' THEN {failure} {parts} END"


def _split_part(values: Sequence[Value], result: TrinoType) -> str:
    text, separator, index = (value.sql for value in values)
    part = _not_empty(
        values, "split_part at an empty text", f"list_extract(string_split({text}, {separator}), {index})", result
    )
    failure = failing(quote("Index must be greater than zero"), result)
    return f"CASE WHEN {index} < 1 THEN {failure} WHEN {separator} IS NOT NULL THEN {part} END"


def _strpos(values: Sequence[Value], result: TrinoType) -> str:
    del result
    text, part = (value.sql for value in values)
    return f"CASE WHEN {part} = '' AND {text} IS NOT NULL THEN 1 ELSE instr({text}, {part}) END"


def _regexp_like(values: Sequence[Value], result: TrinoType) -> str:
    """Let DuckDB, which is many times faster, match where the two engines cannot differ."""
    del result
    text, pattern = values
    slow = f"athena_regexp_like({text.sql}, {pattern.sql})"
    if not isinstance(pattern.constant, str) or not is_plain(pattern.constant):
        return slow
    alike = f"strlen({text.sql}) = length({text.sql}) AND NOT contains({text.sql}, chr(10))"
    return f"CASE WHEN {alike} THEN regexp_matches({text.sql}, {pattern.sql}) ELSE {slow} END"


def _json_contains(kind: str) -> Render:
    def render(values: Sequence[Value], result: TrinoType) -> str:
        del result
        wanted = cast_sql(values[1].sql, values[1].type, VARCHAR)
        return f"athena_json_array_contains({values[0].sql}, {wanted}, '{kind}')"

    return render


def _ascii_or(name: str) -> str:
    return f"CASE WHEN strlen({{0}}) = length({{0}}) THEN {name}({{0}}) ELSE athena_{name}({{0}}) END"


NUMBERS: Table = {
    "abs": [("N -> N", "abs({0})")],
    "acos": [("double -> double", _unit_range("acos"))],
    "asin": [("double -> double", _unit_range("asin"))],
    "atan": [("double -> double", "atan({0})")],
    "atan2": [("double, double -> double", "atan2({0}, {1})")],
    "bitwise_and": [("bigint, bigint -> bigint", "({0} & {1})")],
    "bitwise_not": [("bigint -> bigint", "(~{0})")],
    "bitwise_or": [("bigint, bigint -> bigint", "({0} | {1})")],
    "bitwise_xor": [("bigint, bigint -> bigint", "xor({0}, {1})")],
    "cbrt": [("double -> double", "athena_cbrt({0})")],
    "cos": [("double -> double", _finite("cos"))],
    "cosh": [("double -> double", "cosh({0})")],
    "degrees": [("double -> double", "degrees({0})")],
    "e": [("-> double", "CAST(2.718281828459045 AS DOUBLE)")],
    "exp": [("double -> double", "exp({0})")],
    "from_base": [("varchar, bigint -> bigint", "athena_from_base({0}, {1})")],
    "greatest": [("T... -> T", _extreme("greatest"))],
    "infinity": [("-> double", "CAST('inf' AS DOUBLE)")],
    "is_finite": [("double -> boolean", "isfinite({0})")],
    "is_infinite": [("double -> boolean", "isinf({0})")],
    "is_nan": [("double -> boolean", "isnan({0})")],
    "least": [("T... -> T", _extreme("least"))],
    "ln": [("double -> double", "ln({0})")],
    "log": [("double, double -> double", "(ln({1}) / ln({0}))")],
    "log10": [("double -> double", "log10({0})")],
    "log2": [("double -> double", "(ln({0}) / ln(CAST(2 AS DOUBLE)))")],
    "nan": [("-> double", "CAST('nan' AS DOUBLE)")],
    "pi": [("-> double", "pi()")],
    "pow": [("double, double -> double", "pow({0}, {1})")],
    "power": [("double, double -> double", "pow({0}, {1})")],
    "radians": [("double -> double", "radians({0})")],
    "rand": [("-> double", "random()")],
    "random": [
        ("-> double", "random()"),
        ("bigint -> bigint", "CAST(floor(random() * {0}) AS BIGINT)"),
        ("bigint, bigint -> bigint", "({0} + CAST(floor(random() * ({1} - {0})) AS BIGINT))"),
    ],
    "sin": [("double -> double", _finite("sin"))],
    "sinh": [("double -> double", "sinh({0})")],
    "sqrt": [("double -> double", "sqrt({0})")],
    "tan": [("double -> double", _finite("tan"))],
    "tanh": [("double -> double", "tanh({0})")],
    "to_base": [("bigint, bigint -> varchar", "athena_to_base({0}, {1})")],
    "width_bucket": [
        ("double, double, double, bigint -> bigint", _width_bucket),
        ("double, array(double) -> bigint", _bin_bucket),
    ],
}
for _name in ("ceil", "ceiling", "floor", "round", "sign", "truncate"):
    _duckdb = {"ceiling": "ceil", "truncate": "trunc"}.get(_name, _name)
    _forms: list[tuple[str, Render]] = (
        []
        if _name == "truncate"
        else [
            (f"{kind} -> {kind}", _as_result("sign({0})") if _name == "sign" else "{0}")
            for kind in ("tinyint", "smallint", "integer", "bigint")
        ]
    )
    _nan_stays = "CASE WHEN isnan({0}) OR {0} = 0 THEN {0} ELSE sign({0}) END"
    _text = _nan_stays if _name == "sign" else f"{_duckdb}({{0}})"
    _forms += [
        (f"decimal(p,s) -> {'tenth' if _name == 'sign' else 'whole'}(p,s)", _as_result(f"{_duckdb}({{0}})")),
        ("real -> real", _as_result(_text)),
        ("double -> double", _as_result(_text)),
    ]
    NUMBERS[_name] = _forms
NUMBERS["round"] = [
    *NUMBERS["round"],
    ("bigint, bigint -> bigint", "{0}"),
    ("decimal(p,s), bigint -> wider(p,s)", _round_decimal),
    ("double, bigint -> double", "round({0}, CAST({1} AS INTEGER))"),
]

TEXT: Table = {
    "chr": [("bigint -> varchar", "athena_chr({0})")],
    "codepoint": [("varchar -> integer", _as_result("athena_codepoint({0})"))],
    "concat_ws": [
        ("varchar, array(varchar) -> varchar", "array_to_string({1}, {0})"),
        ("varchar, varchar... -> varchar", _joined_with),
    ],
    "hamming_distance": [("varchar, varchar -> bigint", "athena_hamming_distance({0}, {1})")],
    "length": [("varchar -> bigint", "length({0})"), ("varbinary -> bigint", "octet_length({0})")],
    "levenshtein_distance": [("varchar, varchar -> bigint", "athena_levenshtein({0}, {1})")],
    "lower": [("varchar(n) -> varchar(n)", _ascii_or("lower"))],
    "lpad": [("varchar, bigint, varchar -> varchar", "athena_pad({0}, {1}, {2}, true)")],
    "ltrim": [
        ("varchar(n) -> varchar(n)", f"ltrim({{0}}, {_BLANKS})"),
        ("varchar(n), varchar -> varchar(n)", "ltrim({0}, {1})"),
    ],
    "luhn_check": [("varchar -> boolean", "athena_luhn_check({0})")],
    "normalize": [("varchar -> varchar", "athena_normalize({0}, 'NFC')")],
    "regexp_count": [("varchar, varchar -> bigint", "athena_regexp_count({0}, {1})")],
    "regexp_extract": [
        ("varchar(n), varchar -> varchar(n)", "athena_regexp_extract({0}, {1}, 0)"),
        ("varchar(n), varchar, bigint -> varchar(n)", "athena_regexp_extract({0}, {1}, {2})"),
    ],
    "regexp_extract_all": [
        ("varchar(n), varchar -> array(varchar(n))", "athena_regexp_extract_all({0}, {1}, 0)"),
        ("varchar(n), varchar, bigint -> array(varchar(n))", "athena_regexp_extract_all({0}, {1}, {2})"),
    ],
    "regexp_like": [("varchar, varchar -> boolean", _regexp_like)],
    "regexp_position": [
        ("varchar, varchar -> integer", _as_result("athena_regexp_position({0}, {1}, 1, 1)")),
        ("varchar, varchar, bigint -> integer", _as_result("athena_regexp_position({0}, {1}, {2}, 1)")),
        ("varchar, varchar, bigint, bigint -> integer", _as_result("athena_regexp_position({0}, {1}, {2}, {3})")),
    ],
    "regexp_replace": [
        ("varchar, varchar -> varchar", "athena_regexp_replace({0}, {1}, '')"),
        ("varchar, varchar, varchar -> varchar", "athena_regexp_replace({0}, {1}, {2})"),
    ],
    "regexp_split": [("varchar(n), varchar -> array(varchar(n))", "athena_regexp_split({0}, {1})")],
    "replace": [("varchar, varchar -> varchar", _replace), ("varchar, varchar, varchar -> varchar", _replace)],
    "rpad": [("varchar, bigint, varchar -> varchar", "athena_pad({0}, {1}, {2}, false)")],
    "rtrim": [
        ("varchar(n) -> varchar(n)", f"rtrim({{0}}, {_BLANKS})"),
        ("varchar(n), varchar -> varchar(n)", "rtrim({0}, {1})"),
    ],
    "soundex": [("varchar -> varchar(4)", "athena_soundex({0})")],
    "split": [
        ("varchar(n), varchar -> array(varchar(n))", _split),
        ("varchar(n), varchar, bigint -> array(varchar(n))", "athena_split_limited({0}, {1}, {2})"),
    ],
    "split_part": [("varchar(n), varchar, bigint -> varchar(n)", _split_part)],
    "split_to_map": [("varchar, varchar, varchar -> map(varchar,varchar)", "athena_split_to_map({0}, {1}, {2})")],
    "split_to_multimap": [
        ("varchar, varchar, varchar -> map(varchar,array(varchar))", "athena_split_to_multimap({0}, {1}, {2})")
    ],
    "starts_with": [("varchar, varchar -> boolean", "starts_with({0}, {1})")],
    "strpos": [
        ("varchar, varchar -> bigint", _strpos),
        ("varchar, varchar, bigint -> bigint", "athena_position_of({0}, {1}, {2})"),
    ],
    "substr": [
        ("varchar(n), bigint -> varchar(n)", "athena_substring({0}, {1})"),
        ("varchar(n), bigint, bigint -> varchar(n)", "athena_substring_of({0}, {1}, {2})"),
    ],
    "translate": [("varchar, varchar, varchar -> varchar", "athena_translate({0}, {1}, {2})")],
    "trim": [
        ("varchar(n) -> varchar(n)", f"trim({{0}}, {_BLANKS})"),
        ("varchar(n), varchar -> varchar(n)", "trim({0}, {1})"),
    ],
    "upper": [("varchar(n) -> varchar(n)", _ascii_or("upper"))],
    "url_decode": [("varchar -> varchar", "athena_url_decode({0})")],
    "url_encode": [("varchar -> varchar", "athena_url_encode({0})")],
}
TEXT["substring"] = TEXT["substr"]

BYTES: Table = {
    "crc32": [("varbinary -> bigint", "athena_crc32({0})")],
    "from_base64": [("varchar -> varbinary", "athena_from_base64({0})")],
    "from_hex": [("varchar -> varbinary", "athena_from_hex({0})")],
    "from_utf8": [("varbinary -> varchar", "athena_from_utf8({0})")],
    "md5": [("varbinary -> varbinary", "athena_digest({0}, 'md5')")],
    "sha1": [("varbinary -> varbinary", "athena_digest({0}, 'sha1')")],
    "sha256": [("varbinary -> varbinary", "athena_digest({0}, 'sha256')")],
    "sha512": [("varbinary -> varbinary", "athena_digest({0}, 'sha512')")],
    "to_base64": [("varbinary -> varchar", "athena_to_base64({0})")],
    "to_hex": [("varbinary -> varchar", "hex({0})")],
    "to_utf8": [("varchar -> varbinary", "encode({0})")],
}

_BOTH = ("json", "varchar")
JSON_FUNCTIONS: Table = {
    "is_json_scalar": [(f"{kind} -> boolean", "athena_json_is_scalar({0})") for kind in _BOTH],
    "json_array_contains": [
        (f"{kind}, {wanted} -> boolean", _json_contains(wanted))
        for kind in _BOTH
        for wanted in ("boolean", "bigint", "double", "varchar")
    ],
    "json_array_length": [(f"{kind} -> bigint", "athena_json_array_length({0})") for kind in _BOTH],
    "json_extract": [(f"{kind}, varchar -> json", "athena_json_extract({0}, {1})") for kind in _BOTH],
    "json_extract_scalar": [(f"{kind}, varchar -> varchar", "athena_json_extract_scalar({0}, {1})") for kind in _BOTH],
    "json_format": [("json -> varchar", "{0}")],
    "json_parse": [("varchar -> json", "athena_json_parse({0})")],
    "json_size": [(f"{kind}, varchar -> bigint", "athena_json_size({0}, {1})") for kind in _BOTH],
}
SCALAR_FUNCTIONS: Table = {**NUMBERS, **TEXT, **BYTES, **JSON_FUNCTIONS}
