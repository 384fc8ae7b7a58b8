export const fine = 0;
