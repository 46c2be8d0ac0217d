# Layouts: packed once per dataset, encoded once per dataset and autoencoder.


rule pack_layouts:
    output:
        RESULTS + "/datasets/{dataset}/layouts.h5",
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        settings=settings_of("pack_layouts"),
        job=job_of("pack_layouts"),
    shell:
        "{PYTHON} {SCRIPTS}/pack_layouts.py --job {params.job} --threads {threads}"
        " --output {output}"


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
    shell:
        "{PYTHON} {SCRIPTS}/encode_layouts.py --job {params.job} --threads {threads}"
        " --layouts {input.layouts}"
        " --autoencoder {RESULTS}/autoencoders/{wildcards.autoencoder}"
        " --train {output.train} --val {output.val} --test {output.test}"
