// expect: constraint|[Ee]lement|no matching (member )?function
// The same on the way out.
#include <ckpt/writer.hpp>

#include <string>

void save(ckpt::Writer& writer) {
#ifdef CORRECTED
  const std::int32_t values[2]{1, 2};
  writer.add<std::int32_t>("a", {2}, values);
#else
  const std::string values[2];
  writer.add<std::string>("a", {2}, values);
#endif
}
