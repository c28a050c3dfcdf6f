-- HealthOmics variant store: one row a sample and alternate allele, 0-based half-open.
-- importjobid: varchar
-- contigname: varchar
-- start: bigint
-- end: bigint
-- names: array(varchar)
-- referenceallele: varchar
-- alternatealleles: array(varchar)
-- qual: double
-- filters: array(varchar)
-- splitfrommultiallelic: boolean
-- attributes: map(varchar,varchar)
-- phased: boolean
-- calls: array(integer)
-- genotypelikelihoods: array(double)
-- phredlikelihoods: array(integer)
-- alleledepths: array(integer)
-- conditionalquality: integer
-- spl: array(integer)
-- depth: integer
-- ps: integer
-- sampleid: varchar
-- information: map(varchar,varchar)
SELECT
    submission_id AS importjobid,
    contig AS contigname,
    position - 1 AS start,
    end_position AS "end",
    CASE WHEN rsid IS NOT NULL THEN ARRAY[rsid] END AS names,
    ref AS referenceallele,
    ARRAY[alt] AS alternatealleles,
    quality AS qual,
    split(filters, ';') AS filters,
    called_genotype IS NOT NULL AS splitfrommultiallelic,
    MAP(
        ARRAY['GENE', 'TRANSCRIPT', 'CONSEQUENCE', 'HGVSG', 'HGVSC', 'HGVSP', 'ALLELEID', 'CLNSIG', 'AF'],
        ARRAY[gene, transcript, consequence, hgvs_genomic, hgvs_coding, hgvs_protein, clinvar_id, clinvar_significance,
            CAST(population_frequency AS varchar)]
    ) AS attributes,
    phased,
    CAST(split(replace(replace(genotype, '|', '/'), '.', '-1'), '/') AS array(integer)) AS calls,
    CAST(NULL AS array(double)) AS genotypelikelihoods,
    phred_likelihoods AS phredlikelihoods,
    ARRAY[ref_depth, alt_depth] AS alleledepths,
    genotype_quality AS conditionalquality,
    CAST(NULL AS array(integer)) AS spl,
    depth,
    CAST(phase_set AS integer) AS ps,
    sample_id AS sampleid,
    sample_fields AS information
FROM variants
