-- Which alleles of a child has neither parent, where both could be called?
-- child: text, sample identifier of the child
-- father: text, sample identifier of the father
-- mother: text, sample identifier of the mother
WITH child AS (
    SELECT contig, position, ref, alt, depth, alt_depth, genotype_quality, gene, consequence
    FROM sample_variants
    WHERE sample_id = :child AND filters = 'PASS' AND zygosity = 'HET' AND depth >= 10 AND genotype_quality >= 20
), parents AS (
    SELECT DISTINCT contig, position, ref, alt
    FROM sample_variants
    WHERE sample_id IN (:father, :mother)
), seen_in_father AS (
    SELECT contig, start0, end_position FROM callable_regions WHERE sample_id = :father AND is_callable
), seen_in_mother AS (
    SELECT contig, start0, end_position FROM callable_regions WHERE sample_id = :mother AND is_callable
)
SELECT child.contig, child.position, child.ref, child.alt, child.depth, child.alt_depth, child.genotype_quality,
    child.gene, child.consequence
FROM child
JOIN seen_in_father ON seen_in_father.contig = child.contig
    AND child.position > seen_in_father.start0 AND child.position <= seen_in_father.end_position
JOIN seen_in_mother ON seen_in_mother.contig = child.contig
    AND child.position > seen_in_mother.start0 AND child.position <= seen_in_mother.end_position
LEFT JOIN parents ON parents.contig = child.contig AND parents.position = child.position
    AND parents.ref = child.ref AND parents.alt = child.alt
WHERE parents.contig IS NULL
ORDER BY child.contig, child.position, child.ref, child.alt
