-- Which alleles does one sample have?
-- sample: text, sample identifier
SELECT contig, position, ref, alt, zygosity, depth, genotype_quality, filters, gene, consequence, clinvar_significance
FROM sample_variants
WHERE sample_id = :sample
ORDER BY contig, position, ref, alt
