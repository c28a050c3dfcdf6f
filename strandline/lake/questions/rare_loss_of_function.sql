-- Which samples carry a rare allele that breaks a gene of a panel?
-- genes: texts, gene symbols with commas between them, such as BRCA1,BRCA2
-- most: number, highest frequency in any population, 0 to 1, such as 0.001
SELECT gene, sample_id, contig, position, ref, alt, zygosity, consequence, hgvs_coding, population_frequency
FROM variants
WHERE gene IN (:genes)
    AND consequence IN ('stop_gained', 'frameshift', 'splice_donor', 'splice_acceptor', 'start_lost')
    AND coalesce(highest_population_frequency, population_frequency, 0) <= :most
ORDER BY gene, position, ref, alt, sample_id
