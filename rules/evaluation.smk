# Judging every model by the same held-out layouts. Nothing here feeds the loop.


def judged_denoiser(wildcards):
    """The denoiser of a judged model: the start, or what training left."""
    return denoiser_files(ROUNDS.judged_denoiser(wildcards.experiment, wildcards.model))


def of_all_models(name):
    """One file per judged model of an experiment."""
    return lambda wildcards: [
        f"{RESULTS}/{wildcards.experiment}/{model}/{name}"
        for model in ROUNDS.models(wildcards.experiment)
    ]


def judged_denoisers(wildcards):
    """The directory of every judged denoiser, in the order of `of_all_models`."""
    experiment = wildcards.experiment
    return [ROUNDS.judged_denoiser(experiment, model) for model in ROUNDS.models(experiment)]


def judged_denoiser_files(wildcards):
    """Their files."""
    return [file for place in judged_denoisers(wildcards) for file in denoiser_files(place)]


def model_names(wildcards):
    """The judged models, in the order of `of_all_models`."""
    return ROUNDS.models(wildcards.experiment)


rule sample_evaluation:
    input:
        denoiser=judged_denoiser,
        autoencoder=autoencoder_of,
        conditions=conditions_of,
    output:
        RESULTS + "/{experiment}/{model}/evaluation_latents.h5",
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
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --denoiser {params.denoiser:q} --autoencoder {params.autoencoder:q}"
        " {params.conditions} --output {output}"


rule evaluate:
    input:
        samples=RESULTS + "/{experiment}/{model}/evaluation_latents.h5",
        held_out=latents_of("test"),
        reference=latents_of("train"),
    output:
        RESULTS + "/{experiment}/{model}/evaluation.json",
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
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --samples {input.samples} --held-out {input.held_out}"
        " --reference {input.reference} --output {output}"


def layout_figures(wildcards):
    """The figures of all decoded models, where semantic losses make them worth a look."""
    if not measures_layouts(ROUNDS, wildcards.experiment):
        return []
    return of_all_models("layouts.json")(wildcards)


rule measure_layouts:
    input:
        samples=RESULTS + "/{experiment}/{model}/evaluation_latents.h5",
        held_out=latents_of("test"),
        layouts=packed_of,
        denoiser=judged_denoiser,
        autoencoder=autoencoder_of,
    output:
        RESULTS + "/{experiment}/{model}/layouts.json",
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
        denoiser=lambda wildcards, input: folder(input.denoiser),
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --denoiser {params.denoiser:q} --autoencoder {params.autoencoder:q}"
        " --samples {input.samples} --held-out {input.held_out} --layouts {input.layouts}"
        " --output {output}"


rule summarise:
    input:
        evaluations=of_all_models("evaluation.json"),
        layouts=layout_figures,
    output:
        table=RESULTS + "/{experiment}/evaluation.csv",
        plot=RESULTS + "/{experiment}/evaluation.png",
    benchmark:
        benchmark_of("/{experiment}", "summarise")
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("summarise"),
        job=job_of("summarise"),
        program=program("summarise"),
        models=model_names,
        layouts=lambda wildcards, input: f"--layouts {input.layouts}" if input.layouts else "",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --models {params.models} --evaluations {input.evaluations} {params.layouts}"
        " --table {output.table} --plot {output.plot}"


rule select_best:
    input:
        evaluations=of_all_models("evaluation.json"),
        denoisers=judged_denoiser_files,
    output:
        denoiser=denoiser_files(RESULTS + "/{experiment}/selected/denoiser"),
        verdict=RESULTS + "/{experiment}/selected.json",
    benchmark:
        benchmark_of("/{experiment}", "select_best")
    wildcard_constraints:
        experiment=one_of(ROUNDS.adversarial_names),
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        settings=settings_of("select_best"),
        job=job_of("select_best"),
        program=program("select_best"),
        models=model_names,
        denoisers=judged_denoisers,
        place=RESULTS + "/{experiment}/selected/denoiser",
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " --models {params.models} --evaluations {input.evaluations}"
        " --denoisers {params.denoisers:q} --output {params.place} --verdict {output.verdict}"


rule compare_samples:
    input:
        packed=packed_of,
        autoencoder=autoencoder_of,
        samples=of_all_models("evaluation_latents.h5"),
    output:
        RESULTS + "/{experiment}/samples.png",
    benchmark:
        benchmark_of("/{experiment}", "compare_samples")
    threads: 1
    resources:
        gpu=one_gpu,
        mem_mb=4000,
        runtime=60,
    params:
        settings=settings_of("compare_samples"),
        job=job_of("compare_samples"),
        program=program("compare_samples"),
        models=model_names,
        packed=packed_option,
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " {params.packed} --autoencoder {params.autoencoder:q}"
        " --models {params.models} --samples {input.samples} --output {output}"
