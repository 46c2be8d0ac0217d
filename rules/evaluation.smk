# Judging every model by the same held-out layouts. Nothing here feeds the loop.
#
# The model `reals` is the null: training layouts in the place of samples.


def judged_denoiser(wildcards):
    """The denoiser of a judged model: the start, or what training left; the null has none."""
    if wildcards.model == NULL:
        return []
    return denoiser_files(ROUNDS.judged_denoiser(wildcards.experiment, wildcards.model))


def judged_samples(wildcards):
    """The samples of a judged model; the null has none."""
    if wildcards.model == NULL:
        return []
    return f"{RESULTS}/{wildcards.experiment}/{wildcards.model}/{SAMPLES}"


def of_all_models(name, null=False):
    """One file per compared model of an experiment and its repeats; with `null`, its own first."""

    def files(wildcards):
        compared = ROUNDS.compared(wildcards.experiment).values()
        first = [(wildcards.experiment, NULL)] if null else []
        return [f"{RESULTS}/{place}/{model}/{name}" for place, model in [*first, *compared]]

    return files


def of_candidates(name):
    """One file per model that can be handed on, without repeats and baselines."""
    return lambda wildcards: [
        f"{RESULTS}/{wildcards.experiment}/{model}/{name}"
        for model in ROUNDS.candidates(wildcards.experiment)
    ]


def of_layouts(name):
    """One file per compared model, the null first, where they are of layouts."""

    def files(wildcards):
        if not is_layouts_autoencoder(ROUNDS, wildcards.experiment):
            return []
        return of_all_models(name, null=True)(wildcards)

    return files


def statistics_of_decoded(wildcards):
    """What decoded layouts or volumes are made of, by compared model, the null first."""
    if is_layouts_autoencoder(ROUNDS, wildcards.experiment):
        return of_layouts("layout_statistics.h5")(wildcards)
    return of_all_models("volume_statistics.h5", null=True)(wildcards)


def inception_weights(wildcards):
    """The weights of Inception, where its features are asked for."""
    weights = ROUNDS.started(wildcards.experiment).evaluation.inception_weights
    return [str(weights)] if weights else []


def candidate_denoisers(wildcards):
    """The directory of every denoiser that can be handed on, in the order of `of_candidates`."""
    experiment = wildcards.experiment
    return [ROUNDS.judged_denoiser(experiment, model) for model in ROUNDS.candidates(experiment)]


def candidate_denoiser_files(wildcards):
    """Their files."""
    return [file for place in candidate_denoisers(wildcards) for file in denoiser_files(place)]


def candidate_names(wildcards):
    """Their names, in the order of `of_candidates`."""
    return ROUNDS.candidates(wildcards.experiment)


def compared_names(wildcards):
    """What tables call the compared models, in the order of `of_all_models`."""
    return list(ROUNDS.compared(wildcards.experiment))


SAMPLES = "evaluation_latents.h5"


rule sample_evaluation:
    input:
        denoiser=judged_denoiser,
        autoencoder=autoencoder_of,
        conditions=conditions_of,
        reference=reference_of("sample_evaluation"),
    output:
        RESULTS + "/{experiment}/{model}/" + SAMPLES,
    benchmark:
        benchmark_of("/{experiment}/{model}", "sample_evaluation")
    threads: 1
    resources:
        gpu=one_gpu,
        mem_mb=8000,
        runtime=720,
    params:
        settings=settings_of("sample_evaluation"),
        job=job_of("sample_evaluation"),
        program=program("sample_evaluation"),
        denoiser=lambda wildcards, input: folder(input.denoiser),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
        conditions=conditions_option,
        reference=reference_option,
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --denoiser {params.denoiser:q} --autoencoder {params.autoencoder:q}"
        " {params.conditions} {params.reference} --output {output}"


rule evaluate:
    input:
        samples=judged_samples,
        held_out=latents_of("test"),
        reference=latents_of("train"),
    output:
        figures=RESULTS + "/{experiment}/{model}/evaluation.json",
        neighbours=RESULTS + "/{experiment}/{model}/neighbours.json",
    benchmark:
        benchmark_of("/{experiment}/{model}", "evaluate")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=settings_of("evaluate"),
        job=job_of("evaluate"),
        program=program("evaluate"),
        samples=lambda wildcards, input: f"--samples {input.samples}" if input.samples else "",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " {params.samples} --held-out {input.held_out}"
        " --reference {input.reference} --output {output.figures} --neighbours {output.neighbours}"


rule measure_layouts:
    input:
        samples=lambda wildcards: judged_samples(wildcards) or latents_of("train")(wildcards),
        held_out=latents_of("test"),
        layouts=packed_of,
        denoiser=judged_denoiser,
        autoencoder=autoencoder_of,
        inception=inception_weights,
    output:
        figures=RESULTS + "/{experiment}/{model}/layouts.json",
        statistics=RESULTS + "/{experiment}/{model}/layout_statistics.h5",
    benchmark:
        benchmark_of("/{experiment}/{model}", "measure_layouts")
    threads: 1
    resources:
        gpu=one_gpu,
        mem_mb=8000,
        runtime=120,
    params:
        settings=settings_of("measure_layouts"),
        job=job_of("measure_layouts"),
        program=program("measure_layouts"),
        denoiser=lambda wildcards, input: (
            f"--denoiser {shlex.quote(folder(input.denoiser))}" if input.denoiser else ""
        ),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " {params.denoiser} --autoencoder {params.autoencoder:q}"
        " --samples {input.samples} --held-out {input.held_out} --layouts {input.layouts}"
        " --output {output.figures} --statistics {output.statistics}"


rule measure_volumes:
    input:
        samples=lambda wildcards: judged_samples(wildcards) or latents_of("train")(wildcards),
        held_out=latents_of("test"),
        volumes=lambda wildcards: packed_of(wildcards) if wildcards.model == NULL else [],
        vqgan=autoencoder_of,
    output:
        RESULTS + "/{experiment}/{model}/volume_statistics.h5",
    benchmark:
        benchmark_of("/{experiment}/{model}", "measure_volumes")
    threads: 1
    resources:
        gpu=one_gpu,
        mem_mb=8000,
        runtime=240,
    params:
        settings=settings_of("measure_volumes"),
        job=job_of("measure_volumes"),
        program=program("measure_volumes"),
        vqgan=lambda wildcards, input: folder(input.vqgan),
        volumes=lambda wildcards, input: f"--volumes {input.volumes}" if input.volumes else "",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --vqgan {params.vqgan:q} --samples {input.samples} --held-out {input.held_out}"
        " {params.volumes} --statistics {output}"


rule compare_models:
    input:
        evaluations=of_all_models("evaluation.json", null=True),
        statistics=statistics_of_decoded,
    output:
        RESULTS + "/{experiment}/comparisons.json",
    benchmark:
        benchmark_of("/{experiment}", "compare_models")
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        settings=settings_of("compare_models"),
        job=job_of("compare_models"),
        program=program("compare_models"),
        models=compared_names,
        statistics=lambda wildcards, input: (
            f"--statistics {input.statistics}" if input.statistics else ""
        ),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --models {params.models} --evaluations {input.evaluations} {params.statistics}"
        " --output {output}"


rule summarise:
    input:
        evaluations=of_all_models("evaluation.json", null=True),
        comparisons=RESULTS + "/{experiment}/comparisons.json",
        layouts=of_layouts("layouts.json"),
    output:
        table=report(
            RESULTS + "/{experiment}/evaluation.csv",
            caption="../workflow/report/evaluation.rst",
            category="{experiment}",
        ),
        plot=report(
            RESULTS + "/{experiment}/evaluation.png",
            caption="../workflow/report/evaluation.rst",
            category="{experiment}",
        ),
    benchmark:
        benchmark_of("/{experiment}", "summarise")
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("summarise"),
        job=job_of("summarise"),
        program=program("summarise"),
        models=compared_names,
        layouts=lambda wildcards, input: f"--layouts {input.layouts}" if input.layouts else "",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --models {params.models} --evaluations {input.evaluations}"
        " --comparisons {input.comparisons} {params.layouts}"
        " --table {output.table} --plot {output.plot}"


rule select_best:
    input:
        comparisons=RESULTS + "/{experiment}/comparisons.json",
        denoisers=candidate_denoiser_files,
    output:
        denoiser=denoiser_files(RESULTS + "/{experiment}/selected/denoiser"),
        verdict=RESULTS + "/{experiment}/selected.json",
    benchmark:
        benchmark_of("/{experiment}", "select_best")
    wildcard_constraints:
        experiment=one_of(set(ROUNDS.adversarial_names) & set(ROUNDS.judged_names)),
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("select_best"),
        job=job_of("select_best"),
        program=program("select_best"),
        models=candidate_names,
        denoisers=candidate_denoisers,
        place=RESULTS + "/{experiment}/selected/denoiser",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --models {params.models} --comparisons {input.comparisons}"
        " --denoisers {params.denoisers:q} --output {params.place} --verdict {output.verdict}"
