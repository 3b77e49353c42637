"""Lane d: a 4 MB image while 200 streams run. How long the streams have to wait for it."""
from . import proxies
from .figures import medians, show
from .lane_streams import options_of
from .load import Holder, check

PER_S = 50
PAUSE_MS = 300


def one_round(bench, proxy, plan, with_images):
    """Streams, and beside them one client that sends an image again and again."""
    form = "openai" if proxy.form == "openai" else "stream"
    streams = Holder(bench, proxy, form=form, **options_of(plan.image_streams, PER_S, plan.stream_s))
    images, sent = None, None
    try:
        streams.wait("steady")
        if with_images:
            rounds = max(1, int(plan.stream_s * 1000 / (2 * PAUSE_MS)))
            images = Holder(bench, proxy, clients=1, rounds=rounds, pause_ms=PAUSE_MS, image_bytes=4_000_000)
        report = streams.wait()
        sent = images.wait() if images else None
    finally:
        streams.end()
        if images:
            images.end()
    check(proxy, report)
    if sent:
        check(proxy, sent)
    return {"gap_most_ms": report["gap_us"]["most"] / 1000, "gap_p999_ms": report["gap_us"]["p999"] / 1000,
            "images": sent["answers"] if sent else 0, "image_ms": sent["latency_us"]["p50"] / 1000 if sent else 0}


def run(bench, plan):
    found = [proxies.replibridge(bench)]
    if plan.with_peers:
        found += filter(None, [proxies.nginx(bench, buffering="off")])
    lane = {f"{proxy.name}, {with_images}": [] for proxy in found for with_images in ("without", "with images")}
    for _ in range(plan.long_rounds):
        for proxy in found:
            lane[f"{proxy.name}, without"].append(one_round(bench, proxy, plan, False))
            lane[f"{proxy.name}, with images"].append(one_round(bench, proxy, plan, True))
    for proxy in found:
        proxy.stop(bench)
    print(f"\n{plan.image_streams} streams of {PER_S} pieces/s; a client that sends 4 MB images one after the other")
    print(f"  {'':28} {'largest gap ms':>15} {'99.9 % ms':>10} {'an image takes ms':>18}")
    for name, ones in lane.items():
        one = medians(ones)
        print(f"  {name:28} {show(one['gap_most_ms']):>15} {show(one['gap_p999_ms']):>10} {show(one['image_ms']):>18}",
              flush=True)
    figures = {}
    for proxy in found:
        calm, busy = (medians(lane[f"{proxy.name}, {how}"]) for how in ("without", "with images"))
        figures[f"made_gap_ms.{proxy.name}"] = max(0, busy["gap_most_ms"] - calm["gap_most_ms"])
    return {"rounds": lane, "figures": figures}
