"""ORDER BY and window frames, as DuckDB writes what Trino means."""

from sqlglot import exp

from local_stage.athena.failures import unsupported

_NULLS = {True: "NULLS FIRST", False: "NULLS LAST"}


def order_item(item: exp.Expr, sql: str) -> str:
    """Return one item of ORDER BY over the text of its value."""
    if item.args.get("with_fill") is not None:
        raise unsupported(item.sql("trino"))
    return f"{sql} {'DESC' if item.args.get('desc') else 'ASC'} {_NULLS[bool(item.args.get('nulls_first'))]}"


def frame(spec: exp.WindowSpec) -> str:
    """Return the frame of a window."""
    kind = str(spec.args.get("kind") or "").upper()
    if kind not in {"ROWS", "RANGE", "GROUPS"} or spec.args.get("exclude"):
        raise unsupported(f"the window frame {spec.sql('trino')}")
    start = _bound(spec.args.get("start"), spec.args.get("start_side"), kind)
    if spec.args.get("end") is None:
        return f"{kind} {start}"
    return f"{kind} BETWEEN {start} AND {_bound(spec.args['end'], spec.args.get('end_side'), kind)}"


def _bound(bound: object, side: object, kind: str) -> str:
    side_text = f" {str(side).upper()}" if side else ""
    if isinstance(bound, str):
        return f"{bound.upper()}{side_text}"
    if kind == "RANGE" or not isinstance(bound, exp.Literal) or bound.is_string or not bound.this.isdigit():
        raise unsupported(f"the bound of a window frame: {bound} {side_text}")
    return f"{bound.this}{side_text}"
