"""What a REF and an ALT allele make. Source: VCF 4.5, sections 1.6.1 (5), 5.4 and 5.5."""


def variant_type(ref: str, alt: str) -> str:
    """Return SNV, INSERTION, DELETION, MNV, COMPLEX, SYMBOLIC, BREAKEND or SPANNING_DELETION.

    >>> [variant_type("A", alt) for alt in ("G", "AT", "<DEL>", "A[chr2:7[", "*")]
    ['SNV', 'INSERTION', 'SYMBOLIC', 'BREAKEND', 'SPANNING_DELETION']
    """
    if not alt.isalpha():
        if alt.startswith("<"):
            return "SYMBOLIC"
        return "SPANNING_DELETION" if alt == "*" else "BREAKEND"
    if len(ref) == len(alt):
        return "SNV" if len(ref) == 1 else "MNV"
    if len(ref) == 1 and alt.startswith(ref):
        return "INSERTION"
    return "DELETION" if len(alt) == 1 and ref.startswith(alt) else "COMPLEX"
