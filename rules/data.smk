# Layouts: packed once per dataset, encoded once per dataset and autoencoder.


def dataset_files(wildcards):
    """The manifest, its classes and its zips; images in folders are too many to watch."""
    settings = ROUNDS.config.datasets[wildcards.dataset]
    if settings.kind == "procedural":
        return []
    beside = settings.manifest.parent
    classes = settings.classes or beside / "classes.json"
    return [
        str(f) for f in (settings.manifest, classes, *sorted(beside.glob("*.zip"))) if f.is_file()
    ]


rule pack_layouts:
    input:
        dataset_files,
    output:
        RESULTS + "/datasets/{dataset}/layouts.h5",
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
    output:
        train=RESULTS + "/latents/{dataset}-{autoencoder}/train.h5",
        val=RESULTS + "/latents/{dataset}-{autoencoder}/val.h5",
        test=RESULTS + "/latents/{dataset}-{autoencoder}/test.h5",
    threads: 2
    resources:
        gpu=gpus,
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
