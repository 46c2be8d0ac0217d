# One iteration: reals and fakes, a discriminator between them, the denoiser against it.


def incoming_denoiser(wildcards):
    """The denoiser entering an iteration: the experiment's start, then its predecessor's."""
    directory = ROUNDS.incoming_denoiser(
        wildcards.experiment, wildcards.arm, int(wildcards.iteration)
    )
    return denoiser_files(directory)


def fakes_denoiser(wildcards):
    """The denoiser that fakes are sampled from: the incoming one, or `fakes_from` at first."""
    return denoiser_files(ROUNDS.fakes_denoiser(wildcards.experiment, int(wildcards.iteration)))


def incoming_discriminator(wildcards):
    """The discriminator that training starts from, where one is given or carried on."""
    directory = ROUNDS.incoming_discriminator(wildcards.experiment, int(wildcards.iteration))
    return model_files(directory) if directory else []


def opponent(wildcards):
    """The iteration's discriminator; controls have none, nor has an objective without one."""
    if wildcards.arm != "adversarial" or not ROUNDS.needs(wildcards.experiment).discriminator:
        return []
    return model_files(ADVERSARIAL.format(**wildcards) + "/discriminator")


def opposing_fakes(wildcards):
    """The iteration's fakes, where the objective itself tells them from reals."""
    if wildcards.arm != "adversarial" or not ROUNDS.needs(wildcards.experiment).fakes_in_training:
        return []
    return ADVERSARIAL.format(**wildcards) + "/fake_latents.h5"


def replayed_fakes(wildcards):
    """Fakes of earlier iterations that a discriminator is trained on too."""
    name = wildcards.experiment
    return [
        f"{RESULTS}/{name}/adversarial/iteration_{n}/fake_latents.h5"
        for n in ROUNDS.replayed(name, int(wildcards.iteration))
    ]


def noising_denoiser(wildcards):
    """The start, where a discriminator needs its noise schedule or begins as its encoder."""
    name = wildcards.experiment
    noised = ROUNDS.needs(name).discriminator_input == "noised"
    if not noised and ROUNDS.adversarial(name).discriminator.backbone != "denoiser":
        return []
    return denoiser_files(ROUNDS.start_denoiser(name))


def incoming_optimizer(wildcards):
    """The optimiser state that the previous iteration left, where it is carried on."""
    n = int(wildcards.iteration)
    if n == 0 or not ROUNDS.adversarial(wildcards.experiment).diffusion.carry_optimizer:
        return []
    return (
        f"{RESULTS}/{wildcards.experiment}/{wildcards.arm}/iteration_{n - 1}/optimizer.safetensors"
    )


def measured_time(wildcards):
    """How long the iteration took, which a control of equal time reads its epochs from."""
    return [] if wildcards.arm != "control_time" else ITERATION.format(**wildcards) + "/time.json"


def logs_of_arm(arm):
    """The logs beside which attempts of an arm's iteration are recorded.

    It takes `input`, so that Snakemake does not record it: another `logs` folder is no change.
    """
    return lambda wildcards, input: logs_of_iteration(
        ROUNDS, wildcards.experiment, arm, int(wildcards.iteration)
    )


GUIDED = {name for name in ROUNDS.adversarial_names if ROUNDS.needs(name).guided_sampling}


# Fakes come from one job, or from one per shard and a last one that gathers them.
SHARDED = {
    name for name in ROUNDS.adversarial_names if ROUNDS.adversarial(name).sampling.shards > 1
}


def shards_of_fakes(wildcards):
    """The files that an iteration's fakes are gathered from."""
    shards = ROUNDS.adversarial(wildcards.experiment).sampling.shards
    place = ADVERSARIAL.format(**wildcards)
    return [f"{place}/fake_latents_shards/{n}_of_{shards}.h5" for n in range(shards)]


rule encode_real:
    input:
        latents_of("train"),
    output:
        ADVERSARIAL + "/real_latents.h5",
    benchmark:
        benchmark_of(IN_ADVERSARIAL, "encode_real")
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of("encode_real"),
        job=job_of("encode_real"),
        program=program("encode_real"),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --latents {input} --output {output}"


rule sample_fake:
    input:
        denoiser=fakes_denoiser,
        autoencoder=autoencoder_of,
        conditions=conditions_of,
        reference=reference_of("sample_fake"),
    output:
        ADVERSARIAL + "/fake_latents.h5",
    benchmark:
        benchmark_of(IN_ADVERSARIAL, "sample_fake")
    wildcard_constraints:
        experiment=one_of(set(ROUNDS.adversarial_names) - SHARDED),
    threads: 1
    resources:
        gpu=one_gpu,
        mem_mb=8000,
        runtime=720,
    params:
        settings=settings_of("sample_fake"),
        job=job_of("sample_fake"),
        program=program("sample_fake"),
        denoiser=lambda wildcards, input: folder(input.denoiser),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
        conditions=conditions_option,
        reference=reference_option,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --denoiser {params.denoiser:q} --autoencoder {params.autoencoder:q}"
        " {params.conditions} {params.reference} --output {output}"


rule sample_fake_shard:
    input:
        denoiser=fakes_denoiser,
        autoencoder=autoencoder_of,
        conditions=conditions_of,
    output:
        ADVERSARIAL + "/fake_latents_shards/{shard}_of_{shards}.h5",
    benchmark:
        benchmark_of(IN_ADVERSARIAL, "sample_fake_shard_{shard}_of_{shards}")
    threads: 1
    resources:
        gpu=one_gpu,
        mem_mb=8000,
        runtime=720,
    params:
        settings=settings_of("sample_fake_shard"),
        job=job_of("sample_fake_shard"),
        program=program("sample_fake_shard"),
        denoiser=lambda wildcards, input: folder(input.denoiser),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
        conditions=conditions_option,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --denoiser {params.denoiser:q} --autoencoder {params.autoencoder:q}"
        " {params.conditions} --output {output}"


rule gather_fake:
    input:
        shards=shards_of_fakes,
        reference=reference_of("gather_fake"),
    output:
        ADVERSARIAL + "/fake_latents.h5",
    benchmark:
        benchmark_of(IN_ADVERSARIAL, "gather_fake")
    wildcard_constraints:
        experiment=one_of(SHARDED),
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of("gather_fake"),
        job=job_of("gather_fake"),
        program=program("gather_fake"),
        reference=reference_option,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --shards {input.shards} {params.reference} --output {output}"


rule train_discriminator:
    input:
        real=ADVERSARIAL + "/real_latents.h5",
        fake=ADVERSARIAL + "/fake_latents.h5",
        start_from=incoming_discriminator,
        replay=replayed_fakes,
        denoiser=noising_denoiser,
    output:
        discriminator=model_files(ADVERSARIAL + "/discriminator"),
        history=ADVERSARIAL + "/discriminator_history.csv",
    benchmark:
        benchmark_of(IN_ADVERSARIAL, "train_discriminator")
    threads: 1
    resources:
        gpu=gpus,
        mem_mb=8000,
        runtime=720,
    params:
        settings=settings_of("train_discriminator"),
        job=job_of("train_discriminator"),
        program=program("train_discriminator"),
        start_from=lambda wildcards, input: (
            f"--start-from {shlex.quote(folder(input.start_from))}" if input.start_from else ""
        ),
        replay=lambda wildcards, input: f"--replay {input.replay}" if input.replay else "",
        denoiser=lambda wildcards, input: (
            f"--denoiser {shlex.quote(folder(input.denoiser))}" if input.denoiser else ""
        ),
        place=ADVERSARIAL,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --real-latents {input.real} --fake-latents {input.fake} {params.start_from}"
        " {params.replay} {params.denoiser}"
        " --output {params.place}/discriminator --history {output.history}"


# With `guidance` the adversarial arm trains no denoiser.
ruleorder: guide_denoiser > finetune_diffusion


rule guide_denoiser:
    input:
        denoiser=lambda wildcards: denoiser_files(
            ROUNDS.incoming_denoiser(wildcards.experiment, "adversarial", int(wildcards.iteration))
        ),
        discriminator=model_files(ADVERSARIAL + "/discriminator"),
        history=ADVERSARIAL + "/discriminator_history.csv",
        train=latents_of("train"),
    output:
        denoiser_files(ADVERSARIAL + "/denoiser"),
    benchmark:
        benchmark_of(IN_ADVERSARIAL, "guide_denoiser")
    wildcard_constraints:
        experiment=one_of(GUIDED),
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        settings=settings_of("guide_denoiser"),
        job=job_of("guide_denoiser"),
        program=program("guide_denoiser"),
        denoiser=lambda wildcards, input: folder(input.denoiser),
        discriminator=lambda wildcards, input: folder(input.discriminator),
        place=ADVERSARIAL,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --denoiser {params.denoiser:q} --discriminator {params.discriminator:q}"
        " --history {input.history} --train-latents {input.train}"
        " --output {params.place}/denoiser"


rule measure_time:
    input:
        adversarial=denoiser_files(ADVERSARIAL + "/denoiser"),
        control=denoiser_files(CONTROL + "/denoiser"),
    output:
        RESULTS + IN_CONTROL_TIME + "/time.json",
    benchmark:
        benchmark_of(IN_CONTROL_TIME, "measure_time")
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("measure_time"),
        job=job_of("measure_time"),
        program=program("measure_time"),
        adversarial=lambda wildcards, input: folder(input.adversarial),
        adversarial_logs=logs_of_arm("adversarial"),
        control=lambda wildcards, input: folder(input.control),
        control_logs=logs_of_arm("control"),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --adversarial {params.adversarial:q} --adversarial-logs {params.adversarial_logs:q}"
        " --control {params.control:q} --control-logs {params.control_logs:q}"
        " --output {output}"


rule finetune_diffusion:
    input:
        train=latents_of("train"),
        val=latents_of("val"),
        layouts=semantic_layouts,
        autoencoder=autoencoder_of,
        denoiser=incoming_denoiser,
        discriminator=opponent,
        fakes=opposing_fakes,
        optimizer=incoming_optimizer,
        time=measured_time,
    output:
        denoiser=denoiser_files(ITERATION + "/denoiser"),
        latest=denoiser_files(ITERATION + "/denoiser_latest"),
        history=ITERATION + "/diffusion_history.csv",
        optimizer=ITERATION + "/optimizer.safetensors",
    benchmark:
        benchmark_of(IN_ITERATION, "finetune_diffusion")
    threads: 1
    resources:
        gpu=gpus,
        mem_mb=16000,
        runtime=1440,
    params:
        settings=settings_of("finetune_diffusion"),
        job=job_of("finetune_diffusion"),
        program=program("finetune_diffusion"),
        denoiser=lambda wildcards, input: folder(input.denoiser),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
        layouts=lambda wildcards, input: (f"--layouts {input.layouts[0]}" if input.layouts else ""),
        discriminator=lambda wildcards, input: (
            f"--discriminator {shlex.quote(folder(input.discriminator))}"
            if input.discriminator
            else ""
        ),
        fakes=lambda wildcards, input: f"--fake-latents {input.fakes}" if input.fakes else "",
        optimizer=lambda wildcards, input: (
            f"--optimizer {input.optimizer}" if input.optimizer else ""
        ),
        time=lambda wildcards, input: f"--time {input.time}" if input.time else "",
        place=ITERATION,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --train-latents {input.train} --val-latents {input.val}"
        " --autoencoder {params.autoencoder:q} --denoiser {params.denoiser:q}"
        " {params.layouts} {params.discriminator} {params.fakes} {params.optimizer} {params.time}"
        " --output {params.place}/denoiser --latest {params.place}/denoiser_latest"
        " --history {output.history} --samples {params.place}/samples"
        " --optimizer-output {output.optimizer}"
