# Stage 1: a denoiser from scratch.


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
