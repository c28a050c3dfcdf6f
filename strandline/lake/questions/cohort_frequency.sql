-- How often is each allele in a cohort, among the samples in whom it could be seen?
-- cohort: text, name of a frozen cohort, or all
-- least: number, lowest frequency that is shown, 0 to 1
SELECT contig, position, ref, alt, allele_count, allele_number, allele_frequency, homozygous_count, assumed_samples
FROM cohort_frequencies
WHERE cohort = :cohort AND allele_frequency >= :least
ORDER BY contig, position, ref, alt
