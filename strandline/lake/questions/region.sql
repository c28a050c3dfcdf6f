-- Which samples carry which alleles in a region, deletions that reach into it included?
-- contig: text, contig as in the reference bundle, such as chr20
-- first: whole, 1-based first position
-- last: whole, 1-based last position, included
SELECT sample_id, contig, position, ref, alt, zygosity, gene, consequence, rsid
FROM variants
WHERE contig = :contig AND position <= :last AND end_position >= :first
ORDER BY position, ref, alt, sample_id
