-- Which samples carry which alleles in a gene?
-- gene: text, gene symbol of the chosen transcript, such as BRCA2
SELECT sample_id, contig, position, ref, alt, zygosity, consequence, hgvs_protein, clinvar_significance, rsid
FROM variants
WHERE gene = :gene
ORDER BY contig, position, ref, alt, sample_id
