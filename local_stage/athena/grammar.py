"""Trino's grammar: what Athena would not parse is refused here, whatever the parser beneath would take.

Function calls stay calls by the name that was written, so that what a name means is decided in one place.
"""

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import sqlglot
from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import ParseError, SqlglotError
from sqlglot.parsers.trino import TrinoParser
from sqlglot.tokenizer_core import Token, TokenType

from local_stage.athena.failures import AthenaFailure

LITERAL = "typed literal"  # a cast that was written as a literal with its type before it
_NOT_OPERATORS = frozenset(
    {
        TokenType.AMP,
        TokenType.CARET,
        TokenType.COLON,
        TokenType.DCOLON,
        TokenType.DIV,
        TokenType.L_BRACE,
        TokenType.NULLSAFE_EQ,
        TokenType.PIPE,
        TokenType.TILDE,
    }
)
_WRITTEN = {TokenType.EQ: {"="}, TokenType.NOT: {"NOT"}, TokenType.NEQ: {"<>", "!="}}
_BEFORE_SUBSCRIPT = frozenset({TokenType.R_BRACKET, TokenType.R_PAREN, TokenType.STRING})
_RESERVED = frozenset(
    """
    ALL AND BETWEEN CASE CROSS DISTINCT ELSE END EXCEPT FROM GROUP HAVING IN INNER INTERSECT IS JOIN LEFT LIKE LIMIT NOT
    NULL ON OR ORDER BY RIGHT SELECT THEN UNION USING VALUES WHEN WHERE
    """.split()  # noqa: SIM905 - words read better in lines
)


def _typed_literal(parser: Any, value: exp.Expr, kind: exp.DataType) -> exp.Expr:
    del parser
    found = exp.Cast(this=value, to=kind)
    found.meta[LITERAL] = True
    return found


class AthenaQuery(Trino):
    """Trino's grammar with functions by their written names and array indexes as they are written."""

    INDEX_OFFSET = 0

    class Parser(TrinoParser):
        """Knows only the functions that have a syntax of their own."""

        FUNCTIONS: ClassVar[dict[str, Callable[..., exp.Expr]]] = {}
        FUNCTION_PARSERS = {  # noqa: RUF012 - likewise
            name: parse
            for name, parse in TrinoParser.FUNCTION_PARSERS.items()
            if name in {"CAST", "EXTRACT", "POSITION", "SUBSTRING", "TRIM", "TRY_CAST"}
        }
        TYPE_LITERAL_PARSERS = dict.fromkeys(exp.DType, _typed_literal)


def parse_query(sql: str, parameters: Sequence[str] = ()) -> exp.Expr:
    """Parse a query, with its parameters (each a literal) in place of the question marks; names become lower case.

    Raises:
        AthenaFailure: it is not one query, or the parameters are not as many as the question marks.
    """
    tree = _parse_one(sql)
    if not isinstance(tree, exp.Query | exp.Values):
        raise AthenaFailure("SYNTAX_ERROR", "expected one query")
    return fill_parameters(tree, parameters)


def parse_statement(sql: str, parameters: Sequence[str] = ()) -> exp.Expr:
    """Parse a statement that changes rows, with its parameters in place of the question marks."""
    return fill_parameters(_parse_one(sql), parameters)


def parse_expression(sql: str) -> exp.Expr:
    """Parse an expression that stands alone, as in the assignments of UPDATE."""
    tree = _parse_one(f"SELECT {sql}")
    if not isinstance(tree, exp.Select) or len(tree.expressions) != 1:
        raise AthenaFailure("SYNTAX_ERROR", f"expected one expression: {sql}")
    return lower_names(tree.expressions[0])


def fill_parameters(tree: exp.Expr, parameters: Sequence[str]) -> exp.Expr:
    """Put parameters in place of question marks, in the order in which they are written."""
    marks = list(tree.find_all(exp.Placeholder, bfs=False))
    if len(marks) != len(parameters):
        raise AthenaFailure(
            "INVALID_PARAMETER_USAGE",
            f"Incorrect number of parameters: expected {len(marks)} but found {len(parameters)}",
        )
    for mark, text in zip(marks, parameters, strict=True):
        value = parse_expression(text)
        if value.find(exp.Query, exp.Column):
            raise AthenaFailure("INVALID_PARAMETER_USAGE", "a parameter has to be a literal")
        mark.replace(value)
    return lower_names(tree)


def lower_names(tree: exp.Expr) -> exp.Expr:
    """Write every name in lower case: Trino does not tell them apart, quoted or not."""
    for identifier in tree.find_all(exp.Identifier):
        identifier.set("this", identifier.this.lower())
    return tree


def tokens_of(sql: str) -> list[Token]:
    """Return the tokens of a statement.

    Raises:
        AthenaFailure: it has none that Trino knows.
    """
    try:
        return list(AthenaQuery().tokenize(sql))
    except SqlglotError as error:
        raise AthenaFailure("SYNTAX_ERROR", str(error).splitlines()[0]) from None


def _parse_one(sql: str) -> exp.Expr:
    _check_tokens(sql, tokens_of(sql))
    try:
        trees = [tree for tree in sqlglot.parse(sql, read=AthenaQuery) if tree is not None]
    except ParseError as error:
        raise AthenaFailure("SYNTAX_ERROR", str(error).splitlines()[0]) from None
    if len(trees) != 1:
        raise AthenaFailure("SYNTAX_ERROR", "expected one query")
    return trees[0]


def _check_tokens(sql: str, tokens: Sequence[Token]) -> None:
    previous: Token | None = None
    for token in tokens:
        kind, text = token.token_type, token.text.upper()
        wrong = kind in _NOT_OPERATORS or text not in _WRITTEN.get(kind, {text})
        wrong = wrong or (kind is TokenType.HEX_STRING and sql[token.start] == "0")
        wrong = wrong or (kind is TokenType.L_BRACKET and _opens_list(previous))
        if previous is not None:
            wrong = wrong or (
                previous.token_type is TokenType.NUMBER and text.startswith("_") and not _apart(previous, token)
            )
            wrong = wrong or (previous.token_type is TokenType.COMMA and kind in {TokenType.FROM, TokenType.R_PAREN})
            wrong = wrong or previous.token_type is kind is TokenType.STRING
        if wrong:
            raise AthenaFailure("SYNTAX_ERROR", f"line {token.line}:{token.col}: mismatched input '{token.text}'")
        previous = token
    if previous is not None and previous.token_type is TokenType.COMMA:
        raise AthenaFailure("SYNTAX_ERROR", f"line {previous.line}:{previous.col}: mismatched input '<EOF>'")


def _opens_list(previous: Token | None) -> bool:
    """Tell whether a bracket begins a list of its own, as no array of Trino does."""
    if previous is None:
        return True
    if previous.token_type in _BEFORE_SUBSCRIPT or previous.token_type is TokenType.IDENTIFIER:
        return False
    return not previous.text.isidentifier() or previous.text.upper() in _RESERVED


def _apart(one: Token, other: Token) -> bool:
    return other.start > one.end + 1
