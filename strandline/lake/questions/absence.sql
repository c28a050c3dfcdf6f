-- Which samples have an allele, which do not, and of which is it not known for want of reads?
-- contig: text, contig as in the reference bundle, such as chr20
-- position: whole, 1-based position of the first base of ref
-- ref: text, reference bases
-- alt: text, alternate bases
WITH carriers AS (
    SELECT DISTINCT sample_id
    FROM variants
    WHERE contig = :contig AND position = :position AND ref = :ref AND alt = :alt
), called AS (
    SELECT DISTINCT sample_id
    FROM callable_regions
    WHERE contig = :contig AND start0 < :position AND end_position >= :position AND is_callable
)
SELECT samples.sample_id,
    CASE
        WHEN carriers.sample_id IS NOT NULL THEN 'present'
        WHEN called.sample_id IS NOT NULL THEN 'absent'
        ELSE 'not known'
    END AS allele
FROM samples
LEFT JOIN carriers ON carriers.sample_id = samples.sample_id
LEFT JOIN called ON called.sample_id = samples.sample_id
ORDER BY samples.sample_id
