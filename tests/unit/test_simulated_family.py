"""The simulated family of the benchmark: Mendel's rules hold in it but for what is planted."""

import numpy as np
import pysam

from benchmarks.simulate_reads import Stretch
from benchmarks.simulated_family import Site, make_family, plant, write_truth
from strandline.variants.joint_trios import is_violation

CARRIED = [(0, 1), (1, 1), (2, 1)]
SITES = [Site(600 + 100 * number, ("A", "C", "G"), CARRIED[number % 3]) for number in range(34)]


def test_the_child_has_one_haplotype_of_each_parent_and_the_new_variants():
    new = [Site(650, ("A", "T"), (0, 1))]
    child, father, mother = make_family(SITES, new, np.random.default_rng(1))
    assert [site.start0 for site in child][:3] == [600, 650, 700]
    inherited = [site for site in child if site not in new]
    for of_child, of_father, of_mother in zip(inherited, father, mother, strict=True):
        for allele in (1, 2):
            copies = [site.carried.count(allele) for site in (of_child, of_father, of_mother)]
            assert not is_violation(copies[0], [(copies[1], 2), (copies[2], 2)])


def test_new_variants_lie_apart_from_every_other_and_say_what_the_reference_has():
    rng = np.random.default_rng(2)
    bases = "".join(rng.choice(list("ACGT"), 20_000))
    taken = list(range(1_000, 19_000, 500))
    new = plant(bases, taken, rng)
    assert len(new) == 25
    places = sorted([*taken, *(site.start0 for site in new)])
    assert min(np.diff(places)) > 50
    for site in new:
        ref, alt = site.alleles
        assert bases.startswith(ref, site.start0)
        assert alt not in {"", ref}


def test_the_truth_is_written_as_phased_genotypes(tmp_path):
    path = tmp_path / "truth.vcf.gz"
    write_truth(SITES[:3], Stretch("c", 0, 5_000), "kid", path)
    with pysam.VariantFile(str(path)) as records:
        assert [(record.start, record.samples["kid"]["GT"], record.samples["kid"].phased) for record in records] == [
            (600, (0, 1), True),
            (700, (1, 1), True),
            (800, (2, 1), True),
        ]
