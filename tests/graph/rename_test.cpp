// Restoring a part of a file, or under other names.
#include "objects.hpp"

#include <memory>

using namespace ckpt;
using namespace ckpt::test;

namespace {

/// `net/l1/kernel` = 1, `net/l1/bias` = 2, `net/head/kernel` = 3, `step` = 4.
void write_net(const std::filesystem::path& file) {
  Box net;
  Box l1;
  Box head;
  Variable<float> step{4};
  l1.add("kernel", 1);
  l1.add("bias", 2);
  head.add("kernel", 3);
  net.track("l1", l1);
  net.track("head", head);
  Checkpoint{{"net", net}, {"step", step}}.write(file, quick());
}

}  // namespace

TEST_CASE("a part of a file is restored by itself", "[graph][restore][rename]") {
  TempDir dir;
  write_net(dir / "a.ckpt");
  Box l1;
  auto kernel = l1.add("kernel", 0);
  Checkpoint checkpoint{{"l1", l1}};
  const auto status = checkpoint.read(dir / "a.ckpt", {.root = "net"});
  CHECK(kernel.value() == 1);
  CHECK(status.pending() == Paths{"net/head/kernel", "net/l1/bias"});
  CHECK(status.unmatched_in_file() == Paths{"net/head/kernel", "net/l1/bias"});
  CHECK(l1.add("bias", 0).value() == 2);
  Box head;
  auto head_kernel = head.add("kernel", 0);
  checkpoint.track("head", head);
  CHECK(head_kernel.value() == 3);
  status.assert_consumed().assert_nontrivial_match();  // `step` is not of that part

  Box whole;
  auto value = whole.add("kernel", 0);
  Checkpoint{whole}.read(dir / "a.ckpt", {.root = "net/head"}).assert_consumed();
  CHECK(value.value() == 3);
}

TEST_CASE("a part that the file does not have", "[graph][restore][rename]") {
  TempDir dir;
  write_net(dir / "a.ckpt");
  Box box;
  auto kernel = box.add("kernel", 9);
  Checkpoint checkpoint{box};
  CKPT_REQUIRE_ERROR(error, ErrorCode::not_found, checkpoint.read(dir / "a.ckpt", {.root = "net/l2"}));
  CHECK(error.details().object == "net/l2");
  CHECK(error.details().file == dir / "a.ckpt");
  CHECK(error.details().advice == "the nearest path is \"net\", and below it there is: head, l1");
  CHECK(kernel.value() == 9);
  const auto advice = [&](const char* root) {
    CKPT_REQUIRE_ERROR(other, ErrorCode::not_found, checkpoint.read(dir / "a.ckpt", {.root = root}));
    return other.details().advice;
  };
  CHECK(advice("ent/l1") == "at the root of the file there is: net, step");
  CHECK(advice("net/l1/bias/x") == "the nearest path is \"net/l1/bias\", and below it there is: nothing");
  CHECK(advice("/") == "at the root of the file there is: net, step");
  CHECK(advice("net//l1") == "the nearest path is \"net\", and below it there is: head, l1");
}

TEST_CASE("objects are found under other names", "[graph][restore][rename]") {
  TempDir dir;
  write_net(dir / "a.ckpt");
  const std::string pattern = GENERATE("model/encoder", "model/encoder/**");
  Box model;
  Box encoder;
  auto kernel = encoder.add("kernel", 0);
  model.track("encoder", encoder);
  Checkpoint checkpoint{{"model", model}};
  const auto status = checkpoint.read(dir / "a.ckpt", {.renames = {{pattern, "net/l1"}}});
  CHECK(kernel.value() == 1);
  status.assert_existing_objects_matched();
  CHECK(status.unmatched_in_file() == Paths{"net/head/kernel", "net/l1/bias", "step"});
  CHECK(encoder.add("bias", 0).value() == 2);  // what comes later goes by the same rules
}

TEST_CASE("an object that is renamed may come after the restore", "[graph][restore][rename][deferred]") {
  TempDir dir;
  write_net(dir / "a.ckpt");
  Box model;
  Box encoder;
  auto kernel = encoder.add("kernel", 0);
  Checkpoint checkpoint;
  const auto status = checkpoint.read(dir / "a.ckpt", {.renames = {{"model/encoder/**", "net/l1/**"}}});
  checkpoint.track("model", model);
  CHECK(kernel.value() == 0);
  model.track("encoder", encoder);
  CHECK(kernel.value() == 1);
  CHECK(status.unmatched_in_file() == Paths{"net/head/kernel", "net/l1/bias", "step"});
}

TEST_CASE("a star stands for a part of a name", "[graph][restore][rename]") {
  TempDir dir;
  {
    Box h;
    std::vector<std::unique_ptr<Box>> layers;
    for (int i = 0; i < 3; ++i) {
      layers.push_back(std::make_unique<Box>());
      layers.back()->add("attn.weight", static_cast<float>(10 + i));
      h.track(std::to_string(i), *layers.back());
    }
    Checkpoint{{"h", h}}.write(dir / "a.ckpt", quick());
  }
  Box root;
  std::vector<std::unique_ptr<Box>> layers;
  std::vector<Variable<float>> weights;
  for (int i = 0; i < 3; ++i) {
    layers.push_back(std::make_unique<Box>());
    weights.push_back(layers.back()->add("attention_weight", 0));
    root.track("layer_" + std::to_string(i), *layers.back());
  }
  RestoreOptions options;
  options.renames = {{"layer_*/attention_*", "h/*/attn.*"}};
  Checkpoint checkpoint{root};
  checkpoint.read(dir / "a.ckpt", options).assert_consumed();
  for (int i = 0; i < 3; ++i) CHECK(weights[static_cast<std::size_t>(i)].value() == static_cast<float>(10 + i));
}

TEST_CASE("renames that do nothing are told", "[graph][restore][rename][plan]") {
  TempDir dir;
  write_net(dir / "a.ckpt");
  Box model;
  Box encoder;
  encoder.add("kernel", 0);
  model.track("encoder", encoder);
  Checkpoint checkpoint{{"model", model}};
  const Rename works{"model/encoder", "net/l1"};
  const Rename nothing_in_program{"model/encodr/**", "net/l1/**"};
  const Rename nothing_in_file{"model/enc*", "net/l*"};
  const Rename to_nowhere{"model/encoder/kernel", ""};
  const auto idle = [&](std::vector<Rename> renames) {
    return checkpoint.plan(dir / "a.ckpt", {.renames = std::move(renames)}).idle_renames;
  };
  CHECK(idle({}).empty());
  CHECK(idle({works, to_nowhere}).empty());
  CHECK(idle({nothing_in_program, works}) == std::vector{nothing_in_program});
  CHECK(idle({nothing_in_file}) == std::vector{nothing_in_file});  // `net/loder`
  CHECK(idle({works, nothing_in_file}) == std::vector{nothing_in_file});

  const RestoreOptions options{.renames = {nothing_in_program, {"none", ""}}};
  const std::string told = "renames without effect: model/encodr/** from net/l1/**, none from nowhere";
  CHECK(checkpoint.plan(dir / "a.ckpt", options).summary() == "0 matched, 0 mismatched, 1 missing, 4 extra, " + told);
  const auto status = checkpoint.read(dir / "a.ckpt", options);
  CKPT_REQUIRE_ERROR(error, ErrorCode::mismatch, status.assert_existing_objects_matched());
  CHECK(error.details().advice == told);
}

TEST_CASE("two objects may change places, and one may be left alone", "[graph][restore][rename]") {
  TempDir dir;
  {
    Variable<float> a{1};
    Variable<float> b{2};
    Variable<float> c{3};
    Checkpoint{{"a", a}, {"b", b}, {"c", c}}.write(dir / "a.ckpt", quick());
  }
  Variable<float> a{0};
  Variable<float> b{0};
  Variable<float> c{7};
  Checkpoint checkpoint{{"a", a}, {"b", b}, {"c", c}};
  const auto status = checkpoint.read(dir / "a.ckpt", {.renames = {{"a", "b"}, {"b", "a"}, {"c", ""}}});
  CHECK(a.value() == 2);
  CHECK(b.value() == 1);
  CHECK(c.value() == 7);
  CHECK(status.unmatched_in_program() == Paths{"c"});
  CHECK(status.unmatched_in_file() == Paths{"c"});
  status.expect_partial();
}

TEST_CASE("slots follow their renamed variables", "[graph][restore][rename][slots]") {
  TempDir dir;
  {
    Box net;
    Box adam;
    adam.add_slot<float>(net.add("w", 1), "m", 5.0F);
    Checkpoint{{"net", net}, {"adam", adam}}.write(dir / "a.ckpt", quick());
  }
  Box model;
  Box optimizer;
  auto weight = model.add("weight", 0);
  Checkpoint checkpoint{{"model", model}, {"optimizer", optimizer}};
  const auto status = checkpoint.read(dir / "a.ckpt", {.renames = {{"model/weight", "net/w"}, {"optimizer", "adam"}}});
  CHECK(weight.value() == 1);
  CHECK(optimizer.add_slot<float>(weight, "m").value() == 5);
  status.assert_consumed();
}

TEST_CASE("objects in cycles are renamed, too", "[graph][restore][rename][testDependencyLoop]") {
  TempDir dir;
  write_net(dir / "a.ckpt");
  Box a;
  Box b;
  a.track("b", b);
  b.track("a", a);
  auto kernel = b.add("kernel", 0);
  Checkpoint checkpoint{{"a", a}};
  checkpoint.read(dir / "a.ckpt", {.renames = {{"a/b/a/b/a/b", "net/l1"}}}).expect_partial();
  CHECK(kernel.value() == 1);
}

TEST_CASE("patterns that are none", "[graph][restore][rename]") {
  TempDir dir;
  write_net(dir / "a.ckpt");
  Checkpoint checkpoint;
  const auto refused = [&](std::string program, std::string file) {
    CAPTURE(program, file);
    CKPT_CHECK_CODE(ErrorCode::invalid_argument,
                    checkpoint.read(dir / "a.ckpt", {.renames = {{std::move(program), std::move(file)}}}));
  };
  refused("", "a");
  refused("a//b", "a");
  refused("a*b*", "c*d*");
  refused("a/*", "b");
  refused("**", "net");
  refused("net", "**");
  refused("a/", "b");
  CKPT_CHECK_CODE(ErrorCode::invalid_argument,
                  checkpoint.read(dir / "a.ckpt", {.on_mismatch = {{"a/**/b", OnMismatch::skip}}}));
}

TEST_CASE("a chain in a file and a cycle in the program do not make endless paths",
          "[graph][restore][rename][hostile]") {
  TempDir dir;
  {
    Writer writer{dir / "a.ckpt", quick().writer};
    ObjectGraph graph;
    constexpr std::uint32_t kNodes = 20'000;
    graph.nodes.resize(kNodes);
    for (std::uint32_t i = 0; i + 1 < kNodes; ++i) graph.nodes[i].edges = {{"parent", i + 1}};
    writer.set_graph(graph);
    writer.commit();
  }
  Box a;
  a.track("parent", a);
  Checkpoint checkpoint{a};
  CKPT_CHECK_CODE(ErrorCode::limit, checkpoint.read(dir / "a.ckpt", {.on_mismatch = {{"**", OnMismatch::skip}}}));
}

TEST_CASE("of several paths of an object the first counts, and its rename", "[graph][rename]") {
  TempDir dir;
  {
    Variable<float> x{1};
    Variable<float> y{2};
    Checkpoint{{"a", x}, {"y", y}}.write(dir / "f.ckpt", quick());
  }
  Variable<float> v{0};
  Checkpoint checkpoint{{"a", v}, {"b", v}};
  checkpoint.read(dir / "f.ckpt", {.renames = {{"b", "y"}}}).expect_partial();
  CHECK(v.value() == 1);
  checkpoint.read(dir / "f.ckpt", {.renames = {{"a", "y"}}}).expect_partial();
  CHECK(v.value() == 2);
}
