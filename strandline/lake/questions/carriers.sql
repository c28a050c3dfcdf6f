-- Which samples carry one allele, and how well is it seen in them?
-- contig: text, contig as in the reference bundle, such as chr20
-- position: whole, 1-based position of the first base of ref
-- ref: text, reference bases
-- alt: text, alternate bases
SELECT sample_id, zygosity, genotype, depth, alt_depth, genotype_quality, filters
FROM variants
WHERE contig = :contig AND position = :position AND ref = :ref AND alt = :alt
ORDER BY sample_id
