export async function interrupted(line) {}
