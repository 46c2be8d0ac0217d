# Volumes: a VQ-GAN learns to reconstruct, then against discriminators; whole volumes are judged.

IN_PHASE = "/{experiment}/{phase}"
PHASE = RESULTS + IN_PHASE
FIRST_PHASE = RESULTS + "/{experiment}/reconstruction"


def volumes_of(wildcards):
    """The packed dataset of an experiment on volumes."""
    return f"{RESULTS}/datasets/{ROUNDS.vqgan(wildcards.experiment).dataset}/volumes.h5"


def given_vqgan(wildcards):
    """The model that phase one goes on from, where one is named."""
    directory = start_vqgan(ROUNDS, wildcards.experiment)
    return model_files(directory) if directory else []


def perceptual_weights(wildcards):
    """Weights of perceptual features, where they come from a file."""
    return [str(path) for path in ROUNDS.vqgan(wildcards.experiment).losses.files()]


def of_all_phases(name):
    """One file per phase of an experiment."""
    return lambda wildcards: [
        f"{RESULTS}/{wildcards.experiment}/{phase}/{name}"
        for phase in ROUNDS.vqgan(wildcards.experiment).phases
    ]


rule train_vqgan_reconstruction:
    input:
        volumes=volumes_of,
        start_from=given_vqgan,
        weights=perceptual_weights,
    output:
        vqgan=model_files(FIRST_PHASE + "/vqgan"),
        history=FIRST_PHASE + "/history.csv",
        optimizer=FIRST_PHASE + "/optimizer.safetensors",
    benchmark:
        benchmark_of("/{experiment}/reconstruction", "train_vqgan_reconstruction")
    wildcard_constraints:
        experiment=one_of(ROUNDS.vqgans),
    threads: 2
    resources:
        gpu=gpus,
        mem_mb=16000,
        runtime=1440,
    params:
        settings=settings_of("train_vqgan_reconstruction"),
        job=job_of("train_vqgan_reconstruction"),
        program=program("train_vqgan_reconstruction"),
        start_from=lambda wildcards, input: (
            f"--start-from {shlex.quote(folder(input.start_from))}" if input.start_from else ""
        ),
        place=FIRST_PHASE,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --volumes {input.volumes} {params.start_from} --output-dir {params.place}"


rule train_vqgan_adversarial:
    input:
        volumes=volumes_of,
        vqgan=model_files(FIRST_PHASE + "/vqgan"),
        optimizer=FIRST_PHASE + "/optimizer.safetensors",
        weights=perceptual_weights,
    output:
        vqgan=model_files(PHASE + "/vqgan"),
        history=PHASE + "/history.csv",
        optimizer=PHASE + "/optimizer.safetensors",
    benchmark:
        benchmark_of(IN_PHASE, "train_vqgan_adversarial")
    wildcard_constraints:
        experiment=one_of(ROUNDS.vqgans),
        phase="adversarial|control",
    threads: 2
    resources:
        gpu=gpus,
        mem_mb=16000,
        runtime=1440,
    params:
        settings=settings_of("train_vqgan_adversarial"),
        job=job_of("train_vqgan_adversarial"),
        program=program("train_vqgan_adversarial"),
        vqgan=lambda wildcards, input: folder(input.vqgan),
        place=PHASE,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --volumes {input.volumes} --vqgan {params.vqgan} --optimizer {input.optimizer}"
        " --output-dir {params.place}"


rule reconstruct_volumes:
    input:
        volumes=volumes_of,
        vqgan=model_files(PHASE + "/vqgan"),
    output:
        PHASE + "/reconstructions.h5",
    benchmark:
        benchmark_of(IN_PHASE, "reconstruct_volumes")
    wildcard_constraints:
        experiment=one_of(ROUNDS.vqgans),
    threads: 2
    resources:
        gpu=one_gpu,
        mem_mb=16000,
        runtime=240,
    params:
        settings=settings_of("reconstruct_volumes"),
        job=job_of("reconstruct_volumes"),
        program=program("reconstruct_volumes"),
        vqgan=lambda wildcards, input: folder(input.vqgan),
        place=PHASE,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --volumes {input.volumes} --vqgan {params.vqgan}"
        " --output {output} --folder {params.place}/reconstructions"


rule evaluate_vqgan:
    input:
        volumes=volumes_of,
        reconstructions=PHASE + "/reconstructions.h5",
        vqgan=model_files(PHASE + "/vqgan"),
    output:
        PHASE + "/evaluation.json",
    benchmark:
        benchmark_of(IN_PHASE, "evaluate_vqgan")
    wildcard_constraints:
        experiment=one_of(ROUNDS.vqgans),
    threads: 2
    resources:
        gpu=one_gpu,
        mem_mb=16000,
        runtime=240,
    params:
        settings=settings_of("evaluate_vqgan"),
        job=job_of("evaluate_vqgan"),
        program=program("evaluate_vqgan"),
        vqgan=lambda wildcards, input: folder(input.vqgan),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --volumes {input.volumes} --reconstructions {input.reconstructions}"
        " --vqgan {params.vqgan} --output {output}"


# Made for denoisers of volumes, or when asked for:
# snakemake --profile profiles/local results/NAME/adversarial/latents/train.h5
rule encode_volumes:
    input:
        volumes=volumes_of,
        vqgan=model_files(PHASE + "/vqgan"),
    output:
        train=PHASE + "/latents/train.h5",
        val=PHASE + "/latents/val.h5",
        test=PHASE + "/latents/test.h5",
    benchmark:
        benchmark_of(IN_PHASE, "encode_volumes")
    wildcard_constraints:
        experiment=one_of(ROUNDS.vqgans),
    threads: 2
    resources:
        gpu=one_gpu,
        mem_mb=8000,
        runtime=240,
    params:
        settings=settings_of("encode_volumes"),
        job=job_of("encode_volumes"),
        program=program("encode_volumes"),
        vqgan=lambda wildcards, input: folder(input.vqgan),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --volumes {input.volumes} --vqgan {params.vqgan}"
        " --train {output.train} --val {output.val} --test {output.test}"


GIVEN = given_encodings(ROUNDS)
IN_GIVEN = "/latents/{dataset}-{autoencoder}"


rule encode_volumes_given:
    input:
        volumes=RESULTS + "/datasets/{dataset}/volumes.h5",
        vqgan=lambda wildcards: model_files(GIVEN[wildcards.dataset, wildcards.autoencoder].vqgan),
    output:
        train=RESULTS + IN_GIVEN + "/train.h5",
        val=RESULTS + IN_GIVEN + "/val.h5",
        test=RESULTS + IN_GIVEN + "/test.h5",
    benchmark:
        benchmark_of(IN_GIVEN, "encode_volumes")
    wildcard_constraints:
        autoencoder=one_of({autoencoder for _, autoencoder in GIVEN}),
    threads: 2
    resources:
        gpu=one_gpu,
        mem_mb=8000,
        runtime=240,
    params:
        settings=settings_of("encode_volumes"),
        job=job_of("encode_volumes"),
        program=program("encode_volumes"),
        vqgan=lambda wildcards, input: folder(input.vqgan),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --volumes {input.volumes} --vqgan {params.vqgan:q}"
        " --train {output.train} --val {output.val} --test {output.test}"


rule summarise_volumes:
    input:
        volumes=volumes_of,
        evaluations=of_all_phases("evaluation.json"),
        reconstructions=of_all_phases("reconstructions.h5"),
    output:
        table=report(
            RESULTS + "/{experiment}/volumes.csv",
            caption="../workflow/report/volumes.rst",
            category="{experiment}",
        ),
        picture=report(
            RESULTS + "/{experiment}/volumes.png",
            caption="../workflow/report/volumes.rst",
            category="{experiment}",
        ),
    benchmark:
        benchmark_of("/{experiment}", "summarise_volumes")
    wildcard_constraints:
        experiment=one_of(ROUNDS.vqgans),
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        settings=settings_of("summarise_volumes"),
        job=job_of("summarise_volumes"),
        program=program("summarise_volumes"),
        phases=lambda wildcards: ROUNDS.vqgan(wildcards.experiment).phases,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --volumes {input.volumes} --phases {params.phases} --evaluations {input.evaluations}"
        " --reconstructions {input.reconstructions}"
        " --table {output.table} --picture {output.picture}"
