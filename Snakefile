# Sparring: rounds of a latent diffusion model against a discriminator.
#
#   snakemake --profile profiles/local -n  what would run, and why
#   snakemake --profile profiles/local     run it on this machine
#
# config/config.yaml names the experiments; each is one file under config/experiments.


configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/data.smk"
include: "rules/volumes.smk"
include: "rules/vqgan.smk"
include: "rules/autoencoder.smk"
include: "rules/denoiser.smk"
include: "rules/adversarial.smk"
include: "rules/evaluation.smk"
include: "rules/report.smk"
include: "rules/export.smk"


rule all:
    default_target: True
    input:
        results_of_experiments,
