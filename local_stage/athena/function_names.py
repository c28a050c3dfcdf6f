"""Functions of Trino that the embedded Athena does not run, and the one place where a name is looked up.

Source: https://trino.io/docs/current/functions/list.html
"""

from collections.abc import Mapping, Sequence

from local_stage.athena.aggregate_functions import AGGREGATE_FUNCTIONS, WINDOW_FUNCTIONS
from local_stage.athena.collection_functions import COLLECTION_FUNCTIONS
from local_stage.athena.failures import AthenaFailure, unsupported
from local_stage.athena.moment_functions import MOMENT_FUNCTIONS
from local_stage.athena.scalar_functions import SCALAR_FUNCTIONS, Table
from local_stage.athena.signatures import Form, form

NOT_RUN = frozenset(
    """
    approx_most_frequent approx_set array_first array_histogram array_last bar beta_cdf bing_tile bing_tile_at
    bing_tile_coordinates bing_tile_polygon bing_tile_quadkey bing_tile_zoom_level bing_tiles_around bit_count
    bitwise_left_shift bitwise_right_shift bitwise_right_shift_arithmetic char2hexint checksum classifier classify color
    combinations contains_sequence convex_hull_agg cosine_distance cosine_similarity current_catalog current_groups
    current_path current_role current_schema current_time current_user dot_product empty_approx_set ends_with
    euclidean_distance evaluate_classifier_predictions features format format_number from_base32 from_base64url
    from_big_endian_32 from_big_endian_64 from_encoded_polyline from_geojson_geometry from_ieee754_32 from_ieee754_64
    from_iso8601_timestamp_nanos from_unixtime_nanos geometry_from_hadoop_shape geometry_invalid_reason
    geometry_nearest_points geometry_to_bing_tiles geometry_union geometry_union_agg great_circle_distance hash_counts
    hmac_md5 hmac_sha1 hmac_sha256 hmac_sha512 index intersection_cardinality inverse_beta_cdf inverse_normal_cdf
    jaccard_index json_array json_array_get json_exists json_object json_query json_table json_value kurtosis
    learn_classifier learn_libsvm_classifier learn_libsvm_regressor learn_regressor line_interpolate_point
    line_interpolate_points line_locate_point localtime make_set_digest merge merge_set_digest
    murmur3 normal_cdf numeric_histogram objectid objectid_timestamp parse_data_size parse_presto_data_size qdigest_agg
    quantile_at_value reduce_agg regress render rgb shuffle simplify_geometry skewness spatial_partitioning
    spatial_partitions spooky_hash_v2_32 spooky_hash_v2_64 st_area st_asbinary st_astext st_boundary st_buffer
    st_centroid st_contains st_convexhull st_coorddim st_crosses st_difference st_dimension st_disjoint st_distance
    st_endpoint st_envelope st_envelopeaspts st_equals st_exteriorring st_geometries st_geometryfromtext st_geometryn
    st_geometrytype st_geomfrombinary st_interiorringn st_interiorrings st_intersection st_intersects st_isclosed
    st_isempty st_isring st_issimple st_isvalid st_length st_linefromtext st_linestring st_multipoint st_numgeometries
    st_numinteriorring st_numpoints st_overlaps st_point st_pointn st_points st_polygon st_relate st_startpoint
    st_symdifference st_touches st_union st_within st_x st_xmax st_xmin st_y st_ymax st_ymin t_cdf t_pdf tdigest_agg
    theta_sketch_cardinality theta_sketch_union timestamp_objectid timezone_hour timezone_minute title_case to_base32
    to_base64url to_big_endian_32 to_big_endian_64 to_char to_date to_encoded_polyline to_geojson_geometry to_geometry
    to_ieee754_32 to_ieee754_64 to_spherical_geography to_timestamp transform_at url_extract_fragment url_extract_host
    url_extract_parameter url_extract_path url_extract_port url_extract_protocol url_extract_query uuid
    value_at_quantile values_at_quantiles version wilson_interval_lower wilson_interval_upper word_stem xxhash64
    """.split()  # noqa: SIM905 - a list of literals would be two hundred lines
)

_TABLES: Mapping[str, Table] = {
    "scalar": {**SCALAR_FUNCTIONS, **COLLECTION_FUNCTIONS, **MOMENT_FUNCTIONS},
    "aggregate": AGGREGATE_FUNCTIONS,
    "window": WINDOW_FUNCTIONS,
}
_FORMS: dict[str, Sequence[Form]] = {
    name: [form(text, render, aggregate=kind == "aggregate", window=kind == "window") for text, render in forms]
    for kind, table in _TABLES.items()
    for name, forms in table.items()
}

RUN = frozenset(_FORMS)


def forms_of(name: str) -> Sequence[Form]:
    """Return the forms of a function.

    Raises:
        AthenaFailure: FUNCTION_NOT_FOUND, Trino has no such function; NOT_SUPPORTED, only the embedded Athena has not.
    """
    found = _FORMS.get(name)
    if found is not None:
        return found
    if name in NOT_RUN:
        raise unsupported(f"the function {name}")
    raise AthenaFailure("FUNCTION_NOT_FOUND", f"Function '{name}' not registered")
