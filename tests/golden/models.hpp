// What the golden files hold, as plain values: written by make_golden, compared by golden_test.
#pragma once

#include <ckpt/writer.hpp>

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace ckpt::test {

struct GoldenTensor {
  std::string path;
  DType dtype;
  Shape shape;
  Bytes data;
  TensorOptions options{};
};

/// One checkpoint file. Tensors are written in this order, then aliases.
struct GoldenModel {
  std::string name;
  WriterOptions options{};
  std::vector<GoldenTensor> tensors{};
  std::vector<std::pair<std::string, std::string>> aliases{};  ///< new path, path of the owner
  Metadata metadata{};
  ObjectGraph graph{};
  bool committed = true;   ///< in tests/golden/v1; otherwise it is too large and made when it is needed
  bool same_bytes = true;  ///< whether writing it again gives the same bytes: not when zstd has a say
};

/// All of them; uuid and time are fixed.
std::vector<GoldenModel> golden_models();

void write_golden(const GoldenModel& model, const std::filesystem::path& file);

}  // namespace ckpt::test
