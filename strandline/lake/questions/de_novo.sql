-- Which alleles of a child has neither parent, and of how many parents do reads tell that?
-- child: text, sample identifier of the child
-- father: text, sample identifier of the father
-- mother: text, sample identifier of the mother
WITH parents AS (
    SELECT DISTINCT contig, position, ref, alt
    FROM sample_variants
    WHERE sample_id IN (:father, :mother)
), candidates AS (
    SELECT child.contig, child.position, child.ref, child.alt, child.depth, child.alt_depth, child.genotype_quality,
        child.gene, child.consequence
    FROM sample_variants AS child
    LEFT JOIN parents ON parents.contig = child.contig AND parents.position = child.position
        AND parents.ref = child.ref AND parents.alt = child.alt
    WHERE child.sample_id = :child AND child.filters = 'PASS' AND child.zygosity = 'HET'
        AND child.depth >= 10 AND child.genotype_quality >= 20 AND parents.contig IS NULL
), callable_in AS (
    SELECT candidates.contig, candidates.position, candidates.ref, candidates.alt,
        count(DISTINCT callable_regions.sample_id) AS parent_count
    FROM candidates
    JOIN callable_regions ON callable_regions.contig = candidates.contig
        AND candidates.position > callable_regions.start0 AND candidates.position <= callable_regions.end_position
    WHERE callable_regions.sample_id IN (:father, :mother) AND callable_regions.is_callable
    GROUP BY candidates.contig, candidates.position, candidates.ref, candidates.alt
)
SELECT candidates.contig, candidates.position, candidates.ref, candidates.alt, candidates.depth,
    candidates.alt_depth, candidates.genotype_quality, candidates.gene, candidates.consequence,
    coalesce(callable_in.parent_count, 0) AS callable_parents
FROM candidates
LEFT JOIN callable_in ON callable_in.contig = candidates.contig AND callable_in.position = candidates.position
    AND callable_in.ref = candidates.ref AND callable_in.alt = candidates.alt
ORDER BY callable_parents DESC, candidates.contig, candidates.position, candidates.ref, candidates.alt
