-- HealthOmics annotation store of VCF: the current release of each source, contigs as its file names them.
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
    annotations.release_id AS importjobid,
    annotations.source_contig AS contigname,
    annotations.position - 1 AS start,
    annotations.end_position AS "end",
    CASE WHEN annotations.identifier IS NOT NULL THEN ARRAY[annotations.identifier] END AS names,
    nullif(annotations.ref, '') AS referenceallele,
    CASE WHEN annotations.alt <> '' THEN ARRAY[annotations.alt] END AS alternatealleles,
    annotations.quality AS qual,
    split(annotations.filters, ';') AS filters,
    CAST(NULL AS boolean) AS splitfrommultiallelic,
    annotations.attributes,
    CAST(NULL AS boolean) AS phased,
    CAST(NULL AS array(integer)) AS calls,
    CAST(NULL AS array(double)) AS genotypelikelihoods,
    CAST(NULL AS array(integer)) AS phredlikelihoods,
    CAST(NULL AS array(integer)) AS alleledepths,
    CAST(NULL AS integer) AS conditionalquality,
    CAST(NULL AS array(integer)) AS spl,
    CAST(NULL AS integer) AS depth,
    CAST(NULL AS integer) AS ps,
    CAST(NULL AS varchar) AS sampleid,
    CAST(NULL AS map(varchar, varchar)) AS information
FROM annotations
JOIN (SELECT source, max(release) AS release FROM annotations GROUP BY source) AS latest
    ON latest.source = annotations.source AND latest.release = annotations.release
