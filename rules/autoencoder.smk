# The autoencoder between layouts and latents.


def autoencoder_layouts(wildcards):
    """The dataset that an autoencoder is trained on."""
    dataset = ROUNDS.config.autoencoders[wildcards.autoencoder].dataset
    return f"{RESULTS}/datasets/{dataset}/layouts.h5"


def given_autoencoder(wildcards):
    """The directory that an autoencoder goes on from, where one is named."""
    directory = ROUNDS.config.autoencoders[wildcards.autoencoder].start_from
    return model_files(directory) if directory else []


rule train_autoencoder:
    input:
        layouts=autoencoder_layouts,
        start_from=given_autoencoder,
    output:
        model_files(RESULTS + "/autoencoders/{autoencoder}"),
        RESULTS + "/autoencoders/{autoencoder}/classes.json",
        RESULTS + "/autoencoders/{autoencoder}/history.csv",
        RESULTS + "/autoencoders/{autoencoder}/reconstruction.json",
        RESULTS + "/autoencoders/{autoencoder}/reconstructions.png",
    benchmark:
        benchmark_of("/autoencoders/{autoencoder}", "train_autoencoder")
    threads: 2
    resources:
        gpu=gpus,
        mem_mb=16000,
        runtime=1440,
    params:
        settings=settings_of("train_autoencoder"),
        job=job_of("train_autoencoder"),
        program=program("train_autoencoder"),
        place=RESULTS + "/autoencoders/{autoencoder}",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --layouts {input.layouts} --output {params.place}"
