// Follows a training run and evaluates its checkpoints as they come, without disturbing it: for a GPU of its own,
// beside the training. This one prints the step and the norm of all weights.
//
//   evaluator DIRECTORY NAME SECONDS     ends when nothing new has come for so many seconds
#include <ckpt/ckpt.hpp>

#include <cmath>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <iostream>

namespace {

double norm(const ckpt::Reader& reader) {
  double squares = 0;
  for (std::size_t i = 0; i < reader.size(); ++i) {
    if (reader.info(i).dtype != ckpt::DType::f32) continue;
    const ckpt::TensorView tensor = reader.tensor(i);
    for (const float weight : tensor.as<float>()) squares += static_cast<double>(weight) * weight;
  }
  return std::sqrt(squares);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: evaluator DIRECTORY NAME SECONDS\n";
    return 2;
  }
  try {
    const ckpt::FollowOptions options{.name = argv[2], .timeout = ckpt::Seconds{std::atof(argv[3])}};
    for (const std::filesystem::path& path : ckpt::NewCheckpoints{argv[1], options}) {
      try {
        // A file that is open stays whole, even when the training removes it meanwhile.
        const ckpt::Reader reader = ckpt::Reader::open(path, {.verify = ckpt::Verify::lazy});
        std::cout << path.filename().string() << ": norm " << norm(reader) << std::endl;
      } catch (const ckpt::Error& error) {
        if (error.code() != ckpt::ErrorCode::not_found) throw;  // rotated away before it was opened: on to the next
      }
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "evaluator: " << error.what() << '\n';
    return 1;
  }
}
