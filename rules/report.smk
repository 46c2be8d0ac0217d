# What people look at: samples of all models side by side.
#
# `make report` makes a page of these and of all tables, histories and logs there are; it is no rule,
# since it must not start a job, and says of unfinished experiments how far they are.


report: "../workflow/report/workflow.rst"


rule compare_samples:
    input:
        packed=packed_of,
        autoencoder=autoencoder_of,
        train=latents_of("train"),
        test=latents_of("test"),
        samples=of_candidates(SAMPLES),
    output:
        picture=report(
            RESULTS + "/{experiment}/samples.png",
            caption="../workflow/report/samples.rst",
            category="{experiment}",
        ),
        pictures=RESULTS + "/{experiment}/samples.h5",
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
        models=candidate_names,
        packed=packed_option,
        autoencoder=lambda wildcards, input: folder(input.autoencoder),
    shell:
        "{params.program} --job {params.job} --threads {threads}"
        " {params.packed} --autoencoder {params.autoencoder:q}"
        " --train-latents {input.train} --test-latents {input.test}"
        " --models {params.models} --samples {input.samples}"
        " --output {output.picture} --pictures {output.pictures}"
