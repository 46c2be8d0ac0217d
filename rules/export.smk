# Models for other programs. Only made when asked for:
# snakemake --profile profiles/local results/demo/pipeline/model_index.json


def exported_denoiser(wildcards):
    """The model that an experiment hands on."""
    return denoiser_files(final_denoiser(ROUNDS, wildcards.experiment))


def quoted_tables(wildcards):
    """What the model card says of the rounds."""
    if wildcards.experiment not in ROUNDS.adversarial_names:
        return []
    return [
        f"{RESULTS}/{wildcards.experiment}/{name}" for name in ("evaluation.csv", "selected.json")
    ]


rule export_pipeline:
    input:
        denoiser=exported_denoiser,
        autoencoder=autoencoder_of,
        conditions=conditions_of,
        tables=quoted_tables,
    output:
        [RESULTS + "/{experiment}/pipeline/" + name for name in PIPELINE_FILES],
    benchmark:
        benchmark_of("/{experiment}", "export_pipeline")
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings_of("export_pipeline"),
        job=job_of("export_pipeline"),
        program=program("export_pipeline"),
        denoiser=lambda wildcards, input: folder(input.denoiser),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
        conditions=conditions_option,
        # takes `input`, so that Snakemake does not record it: other places are no change
        results=lambda wildcards, input: lineage(ROUNDS, wildcards.experiment),
        place=RESULTS + "/{experiment}/pipeline",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --denoiser {params.denoiser:q} --autoencoder {params.autoencoder:q}"
        " {params.conditions}"
        " --results {params.results:q} --title {wildcards.experiment} --output {params.place}"
