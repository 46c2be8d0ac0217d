# Denoisers without a discriminator: stage 1 from scratch, stage 2 with semantic losses.


def start_denoiser(wildcards):
    """The denoiser that an experiment starts from."""
    return denoiser_files(ROUNDS.start_denoiser(wildcards.experiment))


def of_kind(kind):
    """A wildcard constraint: the experiments of a kind."""
    return one_of(name for name, e in ROUNDS.experiments.items() if e.kind == kind)


rule pretrain_diffusion:
    input:
        train=latents_of("train"),
        val=latents_of("val"),
        autoencoder=autoencoder_of,
    output:
        denoiser=denoiser_files(RESULTS + "/{experiment}/denoiser"),
        latest=denoiser_files(RESULTS + "/{experiment}/denoiser_latest"),
        history=RESULTS + "/{experiment}/diffusion_history.csv",
    benchmark:
        benchmark_of("/{experiment}", "pretrain_diffusion")
    wildcard_constraints:
        experiment=of_kind("pretrain"),
    threads: 2
    resources:
        gpu=gpus,
        mem_mb=16000,
        runtime=1440,
    params:
        settings=settings_of("pretrain_diffusion"),
        job=job_of("pretrain_diffusion"),
        program=program("pretrain_diffusion"),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
        place=RESULTS + "/{experiment}",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --train-latents {input.train} --val-latents {input.val}"
        " --autoencoder {params.autoencoder:q}"
        " --output {params.place}/denoiser --latest {params.place}/denoiser_latest"
        " --history {output.history} --samples {params.place}/samples"


rule finetune_semantic:
    input:
        train=latents_of("train"),
        val=latents_of("val"),
        layouts=semantic_layouts,
        autoencoder=autoencoder_of,
        denoiser=start_denoiser,
    output:
        denoiser=denoiser_files(RESULTS + "/{experiment}/denoiser"),
        latest=denoiser_files(RESULTS + "/{experiment}/denoiser_latest"),
        history=RESULTS + "/{experiment}/diffusion_history.csv",
    benchmark:
        benchmark_of("/{experiment}", "finetune_semantic")
    wildcard_constraints:
        experiment=of_kind("finetune"),
    threads: 2
    resources:
        gpu=gpus,
        mem_mb=16000,
        runtime=1440,
    params:
        settings=settings_of("finetune_semantic"),
        job=job_of("finetune_semantic"),
        program=program("finetune_semantic"),
        denoiser=lambda wildcards, input: folder(input.denoiser),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
        layouts=lambda wildcards, input: input.layouts[0],
        place=RESULTS + "/{experiment}",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --train-latents {input.train} --val-latents {input.val} --layouts {params.layouts}"
        " --autoencoder {params.autoencoder:q} --denoiser {params.denoiser:q}"
        " --output {params.place}/denoiser --latest {params.place}/denoiser_latest"
        " --history {output.history} --samples {params.place}/samples"
