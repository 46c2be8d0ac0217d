# Layouts: packed once per dataset, encoded once per dataset and autoencoder.


def dataset_files(wildcards):
    """The files that a dataset is packed from, as far as they can be watched."""
    return [str(path) for path in ROUNDS.config.datasets[wildcards.dataset].files()]


def given_latents(wildcards):
    """The manifest, where it names the latents that are taken instead of encoding layouts."""
    dataset = ROUNDS.config.datasets[wildcards.dataset]
    given = dataset.kind == "manifest" and dataset.latents == "manifest"
    return str(dataset.manifest) if given else []


rule pack_layouts:
    input:
        dataset_files,
    output:
        RESULTS + "/datasets/{dataset}/layouts.h5",
    benchmark:
        benchmark_of("/datasets/{dataset}", "pack_layouts")
    wildcard_constraints:
        dataset=one_of(ROUNDS.config.datasets.keys() - VOLUMES),
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of("pack_layouts"),
        job=job_of("pack_layouts"),
        program=program("pack_layouts"),
    shell:
        "{params.program} --job {params.job} --threads {threads}" " --output {output}"


rule encode_layouts:
    input:
        layouts=RESULTS + "/datasets/{dataset}/layouts.h5",
        autoencoder=model_files(RESULTS + "/autoencoders/{autoencoder}"),
        given=given_latents,
    output:
        train=RESULTS + "/latents/{dataset}-{autoencoder}/train.h5",
        val=RESULTS + "/latents/{dataset}-{autoencoder}/val.h5",
        test=RESULTS + "/latents/{dataset}-{autoencoder}/test.h5",
    benchmark:
        benchmark_of("/latents/{dataset}-{autoencoder}", "encode_layouts")
    wildcard_constraints:
        autoencoder=one_of(ROUNDS.config.autoencoders),
    threads: 2
    resources:
        gpu=lambda wildcards: 0 if given_latents(wildcards) else one_gpu(wildcards),
        mem_mb=8000,
        runtime=120,
    params:
        settings=settings_of("encode_layouts"),
        job=job_of("encode_layouts"),
        program=program("encode_layouts"),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --layouts {input.layouts}"
        " --autoencoder {params.autoencoder:q}"
        " --train {output.train} --val {output.val} --test {output.test}"
