-- Which samples carry alleles that ClinVar calls pathogenic or likely pathogenic?
SELECT gene, sample_id, contig, position, ref, alt, zygosity, clinvar_id, clinvar_significance, hgvs_coding
FROM variants
WHERE clinvar_significance IN ('Pathogenic', 'Likely_pathogenic', 'Pathogenic/Likely_pathogenic')
ORDER BY gene, position, ref, alt, sample_id
