"""timm's architectures, one image each: their own logits, and relevance that sums to them where biases are zero."""

from __future__ import annotations

import pytest
import torch
from lrp_networks import images
from test_lrp_architectures import EXACT
from torch import nn

from unhans.lrp import LRP

timm = pytest.importorskip("timm", reason="timm is an optional peer")

SMALL = {"resnet10t": 64, "convnextv2_atto": 64, "vit_tiny_patch16_224": 32, "swin_tiny_patch4_window7_224": 56}
SIZES = {  # of the images
    32: "convmixer_768_32 vgg11_bn",
    56: "swin_s3_tiny_224 eva02_tiny_patch14_224 vit_small_patch14_reg4_dinov2",
    64: "maxxvit_rmlp_nano_rw_256 coatnet_rmlp_nano_rw_224 hrnet_w18_small nextvit_small pnasnet5large "
    "nasnetalarge dla34 sequencer2d_s hiera_tiny_224 fastvit_t8 cait_xxs24_224 volo_d1_224 mixer_s16_224 "
    "resmlp_12_224 gmlp_s16_224 mvitv2_tiny twins_pcpvt_small twins_svt_small coat_lite_tiny "
    "tnt_s_legacy_patch16_224 pit_ti_224 nest_tiny_jx gcvit_xxtiny davit_tiny focalnet_tiny_srf "
    "coatnet_nano_rw_224 lambda_resnet26t botnet26t_256 tiny_vit_5m_224 repvit_m0_9 swinv2_cr_tiny_224 "
    "swinv2_tiny_window8_256 xcit_nano_12_p16_224 beit_base_patch16_224 flexivit_small "
    "vit_relpos_small_patch16_224 deit_tiny_distilled_patch16_224 deit3_small_patch16_224 "
    "samvit_base_patch16_224 resnet18 resnet26d seresnet18 ecaresnet26t skresnet18 resnest14d "
    "res2net50_26w_4s resnext26ts wide_resnet50_2 resnetv2_50 densenet121 dpn48b mobilenetv2_050 "
    "mobilenetv3_small_050 mobilenetv4_conv_small_050 efficientnet_b0 efficientnetv2_rw_t tinynet_e "
    "mnasnet_small fbnetc_100 spnasnet_100 ghostnet_050 ghostnetv2_100 lcnet_035 semnasnet_050 regnetx_002 "
    "regnety_002 rexnet_100 nf_resnet50 dm_nfnet_f0 nfnet_l0 selecsls42 xception41 legacy_xception "
    "cspresnet50 cspdarknet53 darknet53 vovnet39a ese_vovnet19b_dw repvgg_a0 hardcorenas_a convnext_atto "
    "convnextv2_atto poolformer_s12 poolformerv2_s12 caformer_s18 convformer_s18 pvt_v2_b0 rdnet_tiny "
    "mambaout_femto gernet_s tresnet_m",
    80: "inception_v3 inception_resnet_v2 inception_v4",
    128: "maxvit_rmlp_pico_rw_256 mobilevit_xxs mobilevitv2_050 inception_next_atto edgenext_xx_small starnet_s1",
    224: "gmixer_24_224 levit_128s convit_tiny visformer_tiny efficientformer_l1 efficientformerv2_s0 haloregnetz_b",
    240: "crossvit_tiny_240",
    256: "eca_halonext26ts",
}
NAMES = {name: size for size, names in SIZES.items() for name in names.split()}
CONSTANTS = ("bias", "beta", "token", "pos_", "_pos", "relative", "embed.pos", "rel_", "query")


def build(name, size):
    """Return the network, and the size that it takes: the one given, or its own where it has one only."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        try:
            return timm.create_model(name, pretrained=False, num_classes=7, img_size=size), size
        except TypeError:
            return timm.create_model(name, pretrained=False, num_classes=7), size
        except (AssertionError, RuntimeError, ValueError):
            model = timm.create_model(name, pretrained=False, num_classes=7)
            return model, model.default_cfg["input_size"][-1]


@torch.no_grad()
def prepared(model, x):
    """Return the network with batch norms that fit x and whatever is added to a signal, but for positions, at zero."""
    generator = torch.Generator().manual_seed(0)
    for name, parameter in model.named_parameters():
        if any(part in name for part in CONSTANTS):
            parameter.zero_()
        elif parameter.dim() <= 1 or "gamma" in name or "scale" in name:
            parameter.uniform_(0.5, 1, generator=generator)
        else:
            parameter.normal_(0, max(1, parameter[0].numel()) ** -0.5, generator=generator)
    norms = (nn.BatchNorm1d, nn.BatchNorm2d)
    hooks = [m.register_forward_pre_hook(fit) for m in model.modules() if isinstance(m, norms)]
    model.eval()(x)
    for hook in hooks:
        hook.remove()
    return model


def fit(norm, inputs):
    """Give a batch norm statistics of its input with which it scales and does not shift.

    Weak channels are scaled by 3 at most: 1 / √ε of one that is nearly dead would let rounding grow from layer to
    layer, in the network as much as in LRP.
    """
    x = inputs[0] if inputs[0].dim() == 4 else inputs[0].reshape(-1, norm.num_features, 1, 1)
    norm.running_mean.copy_(x.mean((0, 2, 3)))
    norm.running_var.copy_(x.square().mean((0, 2, 3)).clamp(min=0.1))
    norm.bias.copy_(norm.running_mean * norm.weight / (norm.running_var + norm.eps).sqrt())


def check(name, size):
    model, size = build(name, size)
    x = images(1, 3, size, size)
    model = prepared(model.double(), x)
    with torch.no_grad():
        expected = model(x)
    report = LRP(model, EXACT).conservation(x, 3)
    torch.testing.assert_close(report.logits, expected[:, 3])
    assert report.deviation < 1e-6, f"{name}: {report}"
    assert LRP(model.float()).attribute(x.float(), 3).isfinite().all()


@pytest.mark.parametrize("name", SMALL)
def test_one_of_each_family(name):
    check(name, SMALL[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_architecture(name):
    check(name, NAMES[name])


def test_the_list_is_long():
    assert len(NAMES) >= 70
