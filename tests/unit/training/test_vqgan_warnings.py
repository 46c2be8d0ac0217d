"""What the log says of a VQ-GAN that is probably wrong."""

from sparring.training.vqgan_warnings import vqgan_warnings

GOOD = {"val_perplexity": 300.0, "train_image_right": 0.7, "train_volume_right": 0.8}


def said(**figures):
    return vqgan_warnings([GOOD, GOOD | figures], 512)


def test_nothing_is_said_of_a_good_training():
    assert said() == []


def test_an_unused_codebook_is_named():
    (warning,) = said(val_perplexity=20.0)
    assert "perplexity is 20 of 512" in warning


def test_a_discriminator_that_tells_all_is_named():
    (warning,) = said(train_volume_right=0.99)
    assert "volume discriminator is right in 99%" in warning
    assert "adversarial.volume_weight" in warning


def test_phases_without_discriminators_have_no_such_figures():
    assert vqgan_warnings([{"val_perplexity": None}], 512) == []
