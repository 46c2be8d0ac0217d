# Volumes: packed once per dataset.


rule pack_volumes:
    input:
        dataset_files,
    output:
        RESULTS + "/datasets/{dataset}/volumes.h5",
    benchmark:
        benchmark_of("/datasets/{dataset}", "pack_volumes")
    wildcard_constraints:
        dataset=one_of(VOLUMES),
    resources:
        mem_mb=8000,
        runtime=240,
    params:
        settings=settings_of("pack_volumes"),
        job=job_of("pack_volumes"),
        program=program("pack_volumes"),
    shell:
        "{params.program} --job {params.job} --threads {threads}" " --output {output}"
