// An engine with tensors of its own saves them where they lie, without copying them into variables of ckpt, and runs
// from the file's pages.
//
//   engine_tensors DIRECTORY
#include <ckpt/ckpt.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace engine {

struct BFloat16 {
  std::uint16_t bits = 0;
  explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16U); }
};

/// What engines have: a pointer, the extents, and something that keeps the memory.
struct Tensor {
  std::vector<std::int64_t> extents;
  BFloat16* data = nullptr;
  std::shared_ptr<const void> keep;

  std::size_t size() const {
    std::size_t product = 1;
    for (const std::int64_t extent : extents) product *= static_cast<std::size_t>(extent);
    return product;
  }
};

Tensor filled(std::vector<std::int64_t> extents, std::uint16_t bits) {
  Tensor tensor{std::move(extents), nullptr, nullptr};
  auto memory = std::make_shared<std::vector<BFloat16>>(tensor.size(), BFloat16{bits});
  tensor.data = memory->data();
  tensor.keep = std::move(memory);
  return tensor;
}

}  // namespace engine

/// One line makes the engine's element type known.
template <>
struct ckpt::DTypeOf<engine::BFloat16> : ckpt::DTypeConstant<ckpt::DType::bf16> {};

namespace {

using Weights = std::map<std::string, engine::Tensor>;

/// To ckpt: the engine's memory, lent. It has to stay where it is as long as the variable lives.
ckpt::Variable<engine::BFloat16> lend(engine::Tensor& tensor) {
  return ckpt::Variable<engine::BFloat16>::wrap(ckpt::Shape{tensor.extents}, {tensor.data, tensor.size()});
}

/// From ckpt: the file's pages, which the tensor keeps mapped. They are read-only.
engine::Tensor adopt(const ckpt::TensorView& view) {
  const std::span<const engine::BFloat16> elements = view.as<engine::BFloat16>();
  return {{view.shape().begin(), view.shape().end()}, const_cast<engine::BFloat16*>(elements.data()), view.owner()};
}

void save(Weights& weights, const std::filesystem::path& file) {
  ckpt::Checkpoint checkpoint;
  for (auto& [name, tensor] : weights) checkpoint.track(name, lend(tensor));
  checkpoint.write(file);
}

/// Training goes on: into the memory that the engine has.
void load_into(Weights& weights, const std::filesystem::path& file) {
  ckpt::Checkpoint checkpoint;
  for (auto& [name, tensor] : weights) checkpoint.track(name, lend(tensor));
  checkpoint.read(file).assert_consumed();
}

/// Inference: no copy, and one set of pages for all processes.
Weights map(const std::filesystem::path& file) {
  const ckpt::Reader reader = ckpt::Reader::open(file);
  Weights weights;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    weights.emplace(reader.info(i).path, adopt(reader.tensor(i)));
  }
  return weights;
}

bool equal(const Weights& a, const Weights& b) {
  return std::ranges::equal(a, b, [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.extents == y.second.extents &&
           std::ranges::equal(std::span{x.second.data, x.second.size()}, std::span{y.second.data, y.second.size()}, {},
                              &engine::BFloat16::bits, &engine::BFloat16::bits);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: engine_tensors DIRECTORY\n";
    return 2;
  }
  try {
    const std::filesystem::path file = std::filesystem::path{argv[1]} / "engine.ckpt";
    Weights trained{{"embed", engine::filled({1000, 64}, 0x3f80)}, {"norm", engine::filled({64}, 0x4000)}};
    save(trained, file);

    Weights resumed{{"embed", engine::filled({1000, 64}, 0)}, {"norm", engine::filled({64}, 0)}};
    const engine::BFloat16* memory = resumed.at("embed").data;
    load_into(resumed, file);
    const Weights mapped = map(file);
    const bool same = equal(trained, resumed) && equal(trained, mapped) && resumed.at("embed").data == memory;
    std::cout << mapped.size() << " tensors, " << (same ? "the same" : "different")
              << "; norm[0] = " << static_cast<float>(mapped.at("norm").data[0]) << '\n';
    return same ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "engine_tensors: " << error.what() << '\n';
    return 1;
  }
}
