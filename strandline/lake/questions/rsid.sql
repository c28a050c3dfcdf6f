-- Which samples carry the allele with a dbSNP identifier?
-- rsid: text, dbSNP identifier, such as rs80358981
SELECT sample_id, contig, position, ref, alt, zygosity, gene, consequence
FROM variants
WHERE rsid = :rsid
ORDER BY position, ref, alt, sample_id
